//! `parse(print(m)) == m`, for random modules and for a small whole one.

mod text_support;

use ir::text::{NoBlobs, PrintOptions, parse, print};
use ir::{Data, Shape, Tensor};
use proptest::prelude::*;
use text_support::{TINY, random, tiny};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn what_is_printed_reads_back(module in random::module(), inline_blobs in any::<bool>()) {
        let options = PrintOptions { inline_blobs, ..PrintOptions::default() };
        let (text, blobs) = print(&module, &options);
        prop_assert!(!inline_blobs || blobs.is_empty());
        let read = parse(&text, "random.s2ir", &blobs);
        let read = read.map_err(|e| TestCaseError::fail(format!("{e}\n{text}")))?;
        prop_assert_eq!(&read, &module, "\n{}", text);
        // Also what equality does not see: the sign of zero.
        prop_assert_eq!(print(&read, &options), (text, blobs));
    }

    #[test]
    fn no_text_makes_the_parser_panic(
        lines in proptest::collection::vec(
            "(node|population|projection|vertex|net|tree|entry|region|semantics|facts)? ?[@%][a-z0-9]{0,3} ?[=:{]? ?[ -~é]{0,24}",
            0..6,
        ),
    ) {
        let text = format!("s2ir 1 \"x\"\n{}", lines.join("\n"));
        let _ = parse(&text, "x.s2ir", &NoBlobs);
    }

    #[test]
    fn no_damage_to_a_whole_text_makes_the_parser_panic(at in 0..TINY.len(), with in "[ -~]{0,2}") {
        let mut text = TINY.to_owned();
        text.replace_range(at..(at + 1).min(TINY.len()), &with);
        let _ = parse(&text, "x.s2ir", &NoBlobs);
    }
}

#[test]
fn a_whole_module() {
    let options = PrintOptions {
        origins: false,
        ..PrintOptions::default()
    };
    let (text, blobs) = print(&tiny(), &options);
    assert!(blobs.is_empty());
    assert_eq!(text, TINY, "the text is in the printer's own form");
}

/// The levels before `canonicalise` and `discretise`, with origins.
const EARLY: &str = r#"s2ir 1 "early"
target "spinnaker2" chips 1x1 step 1000us
semantics time-unit steps integrator exp-euler reset zero compare ge spike-on old hold-after-spike auto syn-gain unit syn-decay after if-gain unit recurrent-bias-t0 off bias membrane v-floor neg-threshold edge-delay chip
quantisation weights float scale population rounding truncate weight-scale 12.5
network "early"
node @in Input in [1 2 2] out [1 2 2] { shape = [1 2 2] } origin nir "early.nir" "/node/nodes/in" "Input 1x2x2"
node @flat Flatten in [1 2 2] out [4] { start_dim = 0, end_dim = -1, input_type = [1 2 2] } origin infer-shapes nir "early.nir" "/node/nodes/flat" "Flatten"
node @"a node" Affine { weight = 2x4xf32(0.5 -0.0 1e-45 inf 1.0 2.0 3.0 4.0), bias = 2xf64(0.1 -inf) } origin file "early.nir"
node @"x\n\u{202e}\"\\é" Linear { weight = 0x4xi32() } origin option "--dt"
node @0 Scale { scale = f32:0.25 } origin compiler
node @lif LIF { tau = 0.01, r = 1.0, v_leak = 0.0, v_threshold = 1.0, v_reset = 0.0 } origin text "other.s2ir" 7
node @lif.1 IF { r = 1.0, v_threshold = 1.0 } origin canonicalise infer-shapes compiler
node @0 Output origin compiler
edge @in -> @flat
edge @"x\n\u{202e}\"\\é" -> %node4
population @hid lif [2] continuous { tau = 2xf64(0.01 0.02), r = 1.0, v_leak = 0.0, v_threshold = 1.0, v_reset = 0.0, bias = 0.0 } record spikes v origin compiler
"#;

#[test]
fn a_module_before_canonicalise() {
    let module = parse(EARLY, "early.s2ir", &NoBlobs).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(
        print(&module, &PrintOptions::default()),
        (EARLY.to_owned(), vec![])
    );
}

#[test]
fn origins_are_kept() {
    let node = r#"node @fc1 Linear { weight = 1x1xf32(0.5) } origin quantise lower nir "digits.nir" "/node/nodes/fc1" "Linear 784 -> 512""#;
    let text = format!("s2ir 1 \"x\"\nnetwork \"x\"\n{node}\n");
    let module = parse(&text, "x.s2ir", &NoBlobs).expect("the text is right");
    let origin = &module.network.nodes.values().next().expect("a node").origin;
    assert_eq!(
        origin.to_string(),
        "digits.nir: /node/nodes/fc1 (Linear 784 -> 512)"
    );
    let (printed, _) = print(&module, &PrintOptions::default());
    assert!(printed.contains(node), "{printed}");
}

#[test]
fn an_origin_of_an_unknown_pass_is_its_root() {
    let mut module = tiny();
    let output = &mut module.app.outputs[0];
    let root = output.origin.clone();
    output.origin = root.derived("no-such-pass").derived("place");
    let (text, _) = print(&module, &PrintOptions::default());
    let read = parse(&text, "x.s2ir", &NoBlobs).expect("what was printed");
    assert_eq!(read.app.outputs[0].origin, root.derived("place"));
}

#[test]
fn every_bit_of_a_float_is_kept() {
    let bits64 = [
        f64::NAN.to_bits(),
        0xfff8_0000_0000_0123,
        (-0.0f64).to_bits(),
        1,
    ];
    let bits32 = [f32::NAN.to_bits(), 0xffc0_0001, (-0.0f32).to_bits(), 1];
    let f64s = Data::F64(bits64.map(f64::from_bits).to_vec());
    let f32s = Data::F32(bits32.map(f32::from_bits).to_vec());
    for data in [f64s, f32s] {
        let mut module = tiny();
        let weights = Tensor::new(Shape::of(&[4]), data).expect("four");
        let first = module.app.projections.values_mut().next();
        first.expect("a projection").weights = weights;
        let (text, _) = print(&module, &PrintOptions::default());
        let read = parse(&text, "x.s2ir", &NoBlobs).expect("what was printed");
        let projection = read.app.projections.values().next().expect("a projection");
        match projection.weights.data() {
            Data::F64(v) => assert_eq!(v.iter().map(|x| x.to_bits()).collect::<Vec<_>>(), bits64),
            Data::F32(v) => assert_eq!(v.iter().map(|x| x.to_bits()).collect::<Vec<_>>(), bits32),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn large_arrays_stand_beside_the_text() {
    let mut module = tiny();
    let weights: Vec<i16> = (0..65).collect();
    let first = module.app.projections.values_mut().next();
    first.expect("a projection").weights =
        Tensor::new(Shape::of(&[65]), Data::I16(weights)).expect("65");
    let (text, blobs) = print(&module, &PrintOptions::default());
    let [blob] = blobs.as_slice() else {
        panic!("one blob, not {}", blobs.len());
    };
    let line = format!("blob(\"fc1.weights\", 65xi16, {})", blob.sha256);
    assert!(text.contains(&line), "{text}");
    assert!(blob.npy.starts_with(b"\x93NUMPY\x01\x00"));
    assert_eq!((blob.npy.len() - 2 * 65) % 64, 0, "the data is aligned");
    assert_eq!(
        print(&module, &PrintOptions::default()),
        (text, blobs.clone())
    );
}

#[test]
fn other_readers_understand_the_blobs() {
    use ndarray_npy::ReadNpyExt;
    let mut module = tiny();
    let weights: Vec<f32> = (0..66).map(|i| i as f32 / 3.0).collect();
    let first = module.app.projections.values_mut().next();
    first.expect("a projection").weights =
        Tensor::new(Shape::of(&[2, 33]), Data::F32(weights.clone())).expect("66");
    let (_, blobs) = print(&module, &PrintOptions::default());
    let array = ndarray::Array2::<f32>::read_npy(blobs[0].npy.as_slice()).expect("a npy file");
    assert_eq!(array.shape(), [2, 33]);
    assert_eq!(array.into_raw_vec_and_offset().0, weights);
}
