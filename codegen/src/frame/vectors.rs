//! The vector table.

/// Exceptions before the first interrupt line.
const SYSTEM_VECTORS: usize = 16;

/// Bytes of a table that reaches interrupt line `last_irq`.
pub fn table_bytes(last_irq: u32) -> u32 {
    4 * (SYSTEM_VECTORS as u32 + last_irq + 1)
}

/// Builds the table: initial stack pointer, reset, the given interrupt
/// handlers, and `unexpected` everywhere else. Handler addresses carry the
/// Thumb bit.
pub fn table(stack: u32, reset: u32, unexpected: u32, handlers: &[(u32, u32)]) -> Vec<u8> {
    let last = handlers.iter().map(|h| h.0).max().unwrap_or(0);
    let mut words = vec![unexpected; table_bytes(last) as usize / 4];
    words[0] = stack;
    words[1] = reset;
    for &(irq, handler) in handlers {
        words[SYSTEM_VECTORS + irq as usize] = handler;
    }
    words.into_iter().flat_map(u32::to_le_bytes).collect()
}
