//! N-MNIST event files: five bytes an event, recordings one after the other.
//!
//! An event is x, y, then a polarity bit and 23 bits of microseconds, the
//! most significant byte first. Step `t / bin`, channel polarity, row y and
//! column x of the Input `[2 H W]` count it. An index says which recording
//! begins where; without one the file is one recording.

use super::array::{Array, Elements};
use super::inputs::{InputSet, PortSpec, assemble, fit, wanted};
use super::reading::Reading;
use super::{MAX_DECODED_BYTES, fault};
use ir::diag::Result;
use ir::origin::escape;
use ir::{Diagnostic, Shape};

const EVENT_BYTES: usize = 5;
const DEFAULT_BIN_US: u32 = 1000;
/// Rows and columns of the N-MNIST sensor, where the Input does not say.
const SENSOR: usize = 34;

/// Whether a file is one by its ending.
pub(super) fn is_events(file: &str) -> bool {
    file.len() >= 4 && file.to_ascii_lowercase().ends_with(".bin")
}

/// A recording: its place in the file and its class.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Recording {
    from: usize,
    events: usize,
    label: i64,
}

#[derive(Clone, Copy)]
struct Event {
    x: usize,
    y: usize,
    polarity: usize,
    us: u32,
}

fn event(bytes: &[u8]) -> Option<Event> {
    let &[x, y, high, middle, low] = bytes else {
        return None;
    };
    Some(Event {
        x: usize::from(x),
        y: usize::from(y),
        polarity: usize::from(high >> 7),
        us: u32::from_be_bytes([0, high & 0x7f, middle, low]),
    })
}

pub(super) fn read(
    bytes: &[u8],
    file: &str,
    ports: &[PortSpec],
    reading: &Reading,
) -> Result<(InputSet, Vec<Diagnostic>)> {
    let [port] = ports else {
        let what = format!("an event file cannot feed {} Input nodes", ports.len());
        return Err(fault(file, what)
            .note(wanted(ports))
            .help("make an .npz with one array per Input node")
            .into());
    };
    let sensor = sensor(port, file)?;
    let [_, rows, columns] = sensor;
    let recordings = match &reading.index {
        Some((name, index)) => indexed(index, name, bytes.len())?,
        None => whole(bytes.len(), file)?,
    };
    let bin = reading.bin_us.unwrap_or(DEFAULT_BIN_US).max(1);
    let events = |r: &Recording| {
        let end = r.from + r.events * EVENT_BYTES;
        let part = bytes.get(r.from..end).unwrap_or_default();
        part.chunks_exact(EVENT_BYTES).filter_map(event)
    };
    let steps = match reading.steps {
        Some(steps) => steps as usize,
        None => {
            let last = recordings.iter().flat_map(events).map(|e| e.us).max();
            (last.unwrap_or(0) / bin) as usize + 1
        }
    };
    let width = 2 * rows * columns;
    let size = [recordings.len(), steps, width]
        .into_iter()
        .try_fold(1usize, usize::checked_mul)
        .filter(|&n| n as u64 <= MAX_DECODED_BYTES);
    let Some(size) = size else {
        let what = format!(
            "{} recordings of {steps} steps of {width} values take more than {MAX_DECODED_BYTES} bytes",
            recordings.len()
        );
        return Err(fault(file, what)
            .help("use fewer --steps, longer --bin-us, or an index of fewer recordings")
            .into());
    };
    let mut counts = vec![0u8; size];
    for (sample, recording) in recordings.iter().enumerate() {
        for (number, e) in events(recording).enumerate() {
            let place = || format!("recording {sample}, event {number}: x {}, y {}", e.x, e.y);
            if e.x >= columns || e.y >= rows {
                let what = "an event lies outside the Input".to_owned();
                return Err(fault(file, what)
                    .note(format!(
                        "{}; the Input has {rows} rows of {columns}",
                        place()
                    ))
                    .help("check that this is an N-MNIST event file and belongs to the index")
                    .into());
            }
            let step = (e.us / bin) as usize;
            if step >= steps {
                continue; // longer recordings are cut, as --steps says
            }
            let at = (sample * steps + step) * width + (e.polarity * rows + e.y) * columns + e.x;
            let more = counts.get(at).and_then(|n| n.checked_add(1));
            let (Some(more), Some(count)) = (more, counts.get_mut(at)) else {
                let what = "more than 255 events of one pixel fall into one step".to_owned();
                return Err(fault(file, what)
                    .note(place())
                    .help("use a shorter --bin-us")
                    .into());
            };
            *count = more;
        }
    }
    let dims = Shape::of(&[recordings.len(), steps, 2, rows, columns]);
    let flat = Shape::of(&[recordings.len(), steps, width]);
    let dims = if port.shape.as_ref().is_some_and(|s| s.rank() == 3) {
        dims
    } else {
        flat
    };
    let Some(array) = Array::new(dims, Elements::U8(counts)) else {
        return Err(Diagnostic::internal("events do not fill their frames").into());
    };
    let fitted = fit(array, "the event file", port, file)?;
    let labels = reading.index.as_ref().and_then(|_| {
        let labels = recordings.iter().map(|r| r.label as f64).collect();
        let array = Array::new(Shape::of(&[recordings.len()]), Elements::F64(labels))?;
        Some(("index", array))
    });
    let name = "the event file".to_owned();
    assemble(vec![(port, name, fitted)], labels, file)
}

/// Channels, rows and columns of the Input.
fn sensor(port: &PortSpec, file: &str) -> Result<[usize; 3]> {
    match port.shape.as_ref().map(|s| s.0.as_slice()) {
        Some(&[2, rows, columns]) if (1..=256).contains(&rows) && (1..=256).contains(&columns) => {
            Ok([2, rows, columns])
        }
        None => Ok([2, SENSOR, SENSOR]),
        Some(&[n]) if n == 2 * SENSOR * SENSOR => Ok([2, SENSOR, SENSOR]),
        Some(_) => {
            let what = format!(
                "events have no place at the Input node '{}'",
                escape(&port.name)
            );
            let shape = port.shape.clone().unwrap_or_default();
            Err(fault(file, what)
                .note(format!(
                    "it takes {shape}, an event has polarity, y and x: [2 H W]"
                ))
                .help("make an .npz of [samples, steps, shape...]")
                .into())
        }
    }
}

/// The file as one recording.
fn whole(bytes: usize, file: &str) -> Result<Vec<Recording>> {
    if bytes == 0 || !bytes.is_multiple_of(EVENT_BYTES) {
        let what = "the file is no row of events".to_owned();
        return Err(fault(file, what)
            .note(format!("{bytes} bytes are not a multiple of {EVENT_BYTES}"))
            .help("an N-MNIST event takes 5 bytes; convert other data to .npz")
            .into());
    }
    Ok(vec![Recording {
        from: 0,
        events: bytes / EVENT_BYTES,
        label: 0,
    }])
}

/// The recordings of an index with the columns id, label, offset_bytes,
/// n_events.
fn indexed(index: &[u8], name: &str, bytes: usize) -> Result<Vec<Recording>> {
    let bad = |what: String, note: String| {
        fault(name, what)
            .note(note)
            .help("columns: id,label,offset_bytes,n_events; one recording a line")
    };
    let Ok(text) = std::str::from_utf8(index) else {
        return Err(bad(
            "the index is not text".to_owned(),
            "it is no UTF-8".to_owned(),
        )
        .into());
    };
    let mut lines = text
        .lines()
        .enumerate()
        .filter(|(_, l)| !l.trim().is_empty());
    let header: Vec<&str> = lines
        .next()
        .map(|(_, l)| {
            l.trim_start_matches('\u{feff}')
                .split(',')
                .map(str::trim)
                .collect()
        })
        .unwrap_or_default();
    let column = |wanted: &str| {
        header.iter().position(|c| *c == wanted).ok_or_else(|| {
            let found = escape(&header.join(","));
            bad(
                format!("the index has no column '{wanted}'"),
                format!("line 1: {found}"),
            )
        })
    };
    let columns = [
        column("label")?,
        column("offset_bytes")?,
        column("n_events")?,
    ];
    let mut recordings = Vec::new();
    for (number, line) in lines {
        let shown = || format!("line {}: {}", number + 1, escape(line));
        let cells: Vec<&str> = line.split(',').map(str::trim).collect();
        let [label, from, events] =
            columns.map(|c| cells.get(c).and_then(|v| v.parse::<i64>().ok()));
        let size = |v: Option<i64>| v.and_then(|v| usize::try_from(v).ok());
        let (Some(label), Some(from), Some(events)) = (label, size(from), size(events)) else {
            return Err(bad("a line of the index holds no recording".to_owned(), shown()).into());
        };
        let end = events
            .checked_mul(EVENT_BYTES)
            .and_then(|n| n.checked_add(from));
        if end.is_none_or(|end| end > bytes) {
            let note = format!("{}; the event file has {bytes} bytes", shown());
            return Err(bad("a recording ends behind the event file".to_owned(), note).into());
        }
        recordings.push(Recording {
            from,
            events,
            label,
        });
    }
    if recordings.is_empty() {
        return Err(bad(
            "the index lists no recording".to_owned(),
            "it has no lines".to_owned(),
        )
        .into());
    }
    Ok(recordings)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(events: &[(u8, u8, u8, u32)]) -> Vec<u8> {
        let five = |&(x, y, p, us): &(u8, u8, u8, u32)| {
            let t = us.to_be_bytes();
            [x, y, p << 7 | t[1], t[2], t[3]]
        };
        events.iter().flat_map(five).collect()
    }

    fn port(dims: &[usize]) -> [PortSpec; 1] {
        [PortSpec {
            name: "input".to_owned(),
            shape: Some(Shape::of(dims)),
        }]
    }

    #[test]
    fn events_are_counted_in_their_bins() {
        let file = bytes(&[
            (1, 0, 0, 999),
            (1, 0, 0, 0),
            (2, 1, 1, 1000),
            (0, 0, 1, 4_000_000),
            (0, 1, 0, 2500),
        ]);
        let index = b"id,label,offset_bytes,n_events\n7,3,0,4\n8,5,20,1\n";
        let reading = Reading {
            steps: Some(3),
            index: Some(("i.csv".to_owned(), index.to_vec())),
            ..Reading::default()
        };
        let (set, warnings) = read(&file, "e.bin", &port(&[2, 2, 3]), &reading).unwrap();
        assert_eq!(warnings, []);
        assert_eq!((set.samples, set.steps), (2, 3));
        assert_eq!(set.labels, Some(vec![3, 5]));
        let hits = |sample: usize| {
            let data = &set.sample(sample).unwrap()["input"].data;
            let all = data.iter().enumerate().filter(|(_, v)| **v != 0.0);
            all.map(|(i, v)| (i, *v as u32)).collect::<Vec<_>>()
        };
        // Step 0, polarity 0, y 0, x 1; step 1, polarity 1, y 1, x 2.
        assert_eq!(hits(0), [(1, 2), (12 + 11, 1)]);
        assert_eq!(hits(1), [(24 + 3, 1)]);
        assert_eq!(set.ports["input"].max_value(), 2.0);
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let file = bytes(&[(9, 0, 0, 0)]);
        let fails = |bytes: &[u8], dims: &[usize], index: Option<&str>, words: &str| {
            let reading = Reading {
                index: index.map(|i| ("i.csv".to_owned(), i.as_bytes().to_vec())),
                ..Reading::default()
            };
            let text = read(bytes, "e.bin", &port(dims), &reading)
                .unwrap_err()
                .to_string();
            assert!(text.contains(words), "{text}");
        };
        fails(&file, &[2, 4, 4], None, "recording 0, event 0: x 9, y 0");
        fails(
            &file[..4],
            &[2, 4, 4],
            None,
            "4 bytes are not a multiple of 5",
        );
        fails(&file, &[12], None, "[2 H W]");
        fails(
            &file,
            &[2, 4, 4],
            Some("id,label\n"),
            "no column 'offset_bytes'",
        );
        let head = "id,label,offset_bytes,n_events\n";
        fails(
            &file,
            &[2, 4, 4],
            Some(&format!("{head}1,2,5,1\n")),
            "line 2: 1,2,5,1",
        );
        fails(
            &file,
            &[2, 4, 4],
            Some(&format!("{head}1,x,0,1\n")),
            "holds no recording",
        );
        fails(&file, &[2, 4, 4], Some(head), "lists no recording");
    }
}
