//! Encodings to test, as bit patterns written from the architecture manual.
//!
//! `0` and `1` are fixed. The letters `n m d a t x l h` name core register fields: all
//! occurrences of a letter in a pattern get the same register, never PC. Every
//! other letter is a free bit. Spaces are for reading.

/// Name and bits.
pub(crate) const PATTERNS: &[(&str, &str)] = &[
    // 16 bit.
    ("lsl imm", "00000 iiiii mmm ddd"),
    ("lsr imm", "00001 iiiii mmm ddd"),
    ("asr imm", "00010 iiiii mmm ddd"),
    ("add sub reg", "000110 o mmm nnn ddd"),
    ("add sub imm3", "000111 o iii nnn ddd"),
    ("mov cmp add sub imm8", "001 oo ddd iiiiiiii"),
    ("data processing", "010000 oooo mmm ddd"),
    ("add high", "01000100 o oooo ooo"),
    ("cmp high", "01000101 o oooo ooo"),
    ("mov high", "01000110 o oooo ooo"),
    ("ldr literal", "01001 ttt iiiiiiii"),
    ("load store reg", "0101 ooo mmm nnn ttt"),
    ("ldr str imm", "0110 o iiiii nnn ttt"),
    ("ldrb strb imm", "0111 o iiiii nnn ttt"),
    ("ldrh strh imm", "1000 o iiiii nnn ttt"),
    ("ldr str sp", "1001 o ttt 000iiiii"),
    ("adr", "10100 ddd iiiiiiii"),
    ("add sp imm8", "10101 ddd iiiiiiii"),
    ("add sub sp imm7", "10110000 o iiiiiii"),
    ("extend", "10110010 oo mmm ddd"),
    ("push", "1011010 i iiiiiiii"),
    ("pop", "10111100 iiiiiiii"),
    ("rev", "10111010 oo mmm ddd"),
    ("stm", "11000 nnn iiiiiiii"),
    ("ldm", "11001 nnn iiiiiiii"),
    ("nop", "10111111 00000000"),
    ("yield", "10111111 00010000"),
    ("sev", "10111111 01000000"),
    // Data processing, modified immediate.
    ("dp imm", "11110 i 0 oooo s nnnn 0 iii dddd iiiiiiii"),
    ("tst imm", "11110 i 000001 nnnn 0 iii 1111 iiiiiiii"),
    ("teq imm", "11110 i 001001 nnnn 0 iii 1111 iiiiiiii"),
    ("cmn imm", "11110 i 010001 nnnn 0 iii 1111 iiiiiiii"),
    ("cmp imm", "11110 i 011011 nnnn 0 iii 1111 iiiiiiii"),
    ("mov imm", "11110 i 00010 s 1111 0 iii dddd iiiiiiii"),
    ("mvn imm", "11110 i 00011 s 1111 0 iii dddd iiiiiiii"),
    (
        "add sub sp imm",
        "11110 i 01 ooo s 1101 0 iii dddd iiiiiiii",
    ),
    (
        "add sub to sp imm",
        "11110 i 01 ooo s 1101 0 iii 1101 iiiiiiii",
    ),
    // Data processing, shifted register.
    ("dp reg", "1110101 oooo s nnnn 0 iii dddd ii tt mmmm"),
    ("dp reg plain", "1110101 oooo s nnnn 0 000 dddd 0000 mmmm"),
    ("tst reg", "111010100001 nnnn 0 iii 1111 ii oo mmmm"),
    ("teq reg", "111010101001 nnnn 0 iii 1111 ii oo mmmm"),
    ("cmn reg", "111010110001 nnnn 0 iii 1111 ii oo mmmm"),
    ("cmp reg", "111010111011 nnnn 0 iii 1111 ii oo mmmm"),
    ("mov reg", "11101010010 s 1111 0 iii dddd ii oo mmmm"),
    ("mvn reg", "11101010011 s 1111 0 iii dddd ii oo mmmm"),
    ("add sp reg", "11101011000 s 1101 0 000 1101 ii 00 mmmm"),
    ("sub sp reg", "11101011101 s 1101 0 000 1101 ii 00 mmmm"),
    // Plain immediates and bit fields.
    ("addw", "11110 i 100000 nnnn 0 iii dddd iiiiiiii"),
    ("subw", "11110 i 101010 nnnn 0 iii dddd iiiiiiii"),
    ("adr add", "11110 i 100000 1111 0 iii dddd iiiiiiii"),
    ("adr sub", "11110 i 101010 1111 0 iii dddd iiiiiiii"),
    ("movw", "11110 i 100100 iiii 0 iii dddd iiiiiiii"),
    ("movt", "11110 i 101100 iiii 0 iii dddd iiiiiiii"),
    ("ssat", "1111001100 o 0 nnnn 0 iii dddd ii 0 iiiii"),
    ("usat", "1111001110 o 0 nnnn 0 iii dddd ii 0 iiiii"),
    ("ssat16", "111100110010 nnnn 0000 dddd 0000 iiii"),
    ("usat16", "111100111010 nnnn 0000 dddd 0000 iiii"),
    ("sbfx", "111100110100 nnnn 0 iii dddd ii 0 iiiii"),
    ("ubfx", "111100111100 nnnn 0 iii dddd ii 0 iiiii"),
    ("bfi", "111100110110 nnnn 0 iii dddd ii 0 iiiii"),
    ("bfc", "111100110110 1111 0 iii dddd ii 0 iiiii"),
    // Data processing, registers.
    ("shift reg", "111110100 oo s nnnn 1111 dddd 0000 mmmm"),
    ("extend add", "111110100 ooo nnnn 1111 dddd 10 oo mmmm"),
    ("extend wide", "111110100 ooo 1111 1111 dddd 10 oo mmmm"),
    ("parallel", "111110101 ooo nnnn 1111 dddd 0 ooo mmmm"),
    ("saturating", "111110101000 nnnn 1111 dddd 10 oo mmmm"),
    ("reverse", "111110101001 mmmm 1111 dddd 10 oo mmmm"),
    ("sel", "111110101010 nnnn 1111 dddd 1000 mmmm"),
    ("clz", "111110101011 mmmm 1111 dddd 1000 mmmm"),
    ("pkh", "111010101100 nnnn 0 iii dddd ii o 0 mmmm"),
    // Multiplication and division.
    ("multiply add", "111110110 ooo nnnn aaaa dddd 00 oo mmmm"),
    ("multiply", "111110110 ooo nnnn 1111 dddd 00 oo mmmm"),
    ("smlaxy", "111110110001 nnnn aaaa dddd 00 oo mmmm"),
    ("smlad smlsd", "11111011 0 o 0 0 nnnn aaaa dddd 000 o mmmm"),
    ("smlad", "111110110010 nnnn aaaa dddd 000 o mmmm"),
    ("smuad", "111110110010 nnnn 1111 dddd 000 o mmmm"),
    ("smmla smmls", "1111101101 oo nnnn aaaa dddd 000 o mmmm"),
    ("smull", "111110111000 nnnn llll hhhh 0000 mmmm"),
    ("umull", "111110111010 nnnn llll hhhh 0000 mmmm"),
    ("smlal", "111110111100 nnnn llll hhhh 0000 mmmm"),
    ("umlal", "111110111110 nnnn llll hhhh 0000 mmmm"),
    ("umaal", "111110111110 nnnn llll hhhh 0110 mmmm"),
    ("smlalxy", "111110111100 nnnn llll hhhh 10 oo mmmm"),
    ("smlald", "111110111100 nnnn llll hhhh 110 o mmmm"),
    ("smlsld", "111110111101 nnnn llll hhhh 110 o mmmm"),
    ("sdiv", "111110111001 nnnn 1111 dddd 1111 mmmm"),
    ("udiv", "111110111011 nnnn 1111 dddd 1111 mmmm"),
    // Loads and stores.
    (
        "load store imm12",
        "1111100 o 1 oo o nnnn tttt iiiiiiiiiiii",
    ),
    (
        "load store imm8",
        "1111100 o 0 oo o nnnn tttt 1 ooo iiiiiiii",
    ),
    (
        "load store wide reg",
        "1111100 o 0 oo o nnnn tttt 000000 ii mmmm",
    ),
    (
        "load wide literal",
        "1111100 o o oo 1 1111 tttt iiiiiiiiiiii",
    ),
    ("ldrd strd", "1110100 oo 1 oo nnnn tttt xxxx iiiiiiii"),
    ("ldrex", "111010000101 nnnn tttt 1111 iiiiiiii"),
    ("strex", "111010000100 nnnn tttt dddd iiiiiiii"),
    ("ldrexb ldrexh", "111010001101 nnnn tttt 1111 010 o 1111"),
    ("strexb strexh", "111010001100 nnnn tttt 1111 010 o dddd"),
    ("ldrt strt", "111110000 oo o nnnn tttt 1110 iiiiiiii"),
    ("ldrsbt ldrsht", "1111100100 o 1 nnnn tttt 1110 iiiiiiii"),
    ("ldrd literal", "11101001 o 101 1111 tttt xxxx iiiiiiii"),
    ("ldmia stmia wide", "1110100010 oo nnnn 0 i 0 iiiiiiiiiiiii"),
    ("ldmdb stmdb wide", "1110100100 oo nnnn 0 i 0 iiiiiiiiiiiii"),
    ("preload", "111110001001 nnnn 1111 iiiiiiiiiiii"),
    // System.
    ("mrs", "1111001111101111 1000 dddd 000 iiiii"),
    ("msr apsr", "111100111000 nnnn 1000 oo 00 000000 oo"),
    ("msr nothing", "111100111000 nnnn 1000 10 00 000001 oo"),
    ("nop wide", "1111001110101111 10000000 0000000 o"),
    ("sev wide", "1111001110101111 10000000 00000100"),
    ("dbg", "1111001110101111 10000000 1111 iiii"),
    ("clrex", "1111001110111111 10001111 00101111"),
    ("dsb dmb isb", "1111001110111111 10001111 01 oo 1111"),
    // Floating point.
    ("vfp three", "11101110 o i oo iiii iiii 1010 i o i 0 iiii"),
    ("vmul vnmul", "11101110 0 i 10 iiii iiii 1010 i o i 0 iiii"),
    ("vadd vsub", "11101110 0 i 11 iiii iiii 1010 i o i 0 iiii"),
    ("vmla vmls", "11101110 0 i 00 iiii iiii 1010 i o i 0 iiii"),
    ("vnmla vnmls", "11101110 0 i 01 iiii iiii 1010 i o i 0 iiii"),
    ("vdiv", "11101110 1 i 00 iiii iiii 1010 i 0 i 0 iiii"),
    ("vfma vfms", "11101110 1 i 10 iiii iiii 1010 i o i 0 iiii"),
    ("vfnma vfnms", "11101110 1 i 01 iiii iiii 1010 i o i 0 iiii"),
    ("vmov imm", "11101110 1 i 11 iiii iiii 10100000 iiii"),
    (
        "vmov vabs vneg vsqrt",
        "11101110 1 i 11 000 o iiii 1010 o 1 i 0 iiii",
    ),
    ("vsqrt", "11101110 1 i 11 0001 iiii 1010 11 i 0 iiii"),
    ("vcvt half", "11101110 1 i 11 001 o iiii 1010 o 1 i 0 iiii"),
    ("vcmp", "11101110 1 i 11 0100 iiii 1010 o 1 i 0 iiii"),
    ("vcmp zero", "11101110 1 i 11 0101 iiii 1010 o 1000000"),
    (
        "vcvt from int",
        "11101110 1 i 11 1000 iiii 1010 o 1 i 0 iiii",
    ),
    (
        "vcvt to int",
        "11101110 1 i 11 110 o iiii 1010 o 1 i 0 iiii",
    ),
    (
        "vcvt fixed",
        "11101110 1 i 11 1 o 1 o iiii 1010 o 1 i 0 iiii",
    ),
    ("vmov core", "11101110000 o iiii tttt 1010 i 0010000"),
    ("vmov half of pair", "1110111000 io iiii tttt 101100010000"),
    ("vmov two", "11101100010 o xxxx tttt 101000 i 1 iiii"),
    ("vmov pair", "11101100010 o xxxx tttt 10110001 iiii"),
    ("vmrs", "1110111011110001 tttt 101000010000"),
    ("vmrs apsr", "1110111011110001 1111 101000010000"),
    ("vmsr", "1110111011100001 tttt 101000010000"),
    ("vldr vstr", "11101101 i i 0 o nnnn iiii 1010 iiiiiiii"),
    ("vldr vstr pair", "11101101 i 0 0 o nnnn iiii 1011 iiiiiiii"),
    ("vldr literal", "11101101 i i 01 1111 iiii 1010 iiiiiiii"),
    ("vldm vstm", "11101100 1 i oo nnnn iiii 1010 000 iiiii"),
    ("vldmdb vstmdb", "11101101 0 i 1 o nnnn iiii 1010 000 iiiii"),
    (
        "vldm vstm pairs",
        "11101100 1 0 oo nnnn iiii 1011 000 iiii0",
    ),
    ("vpush vpop", "11101101 0 i 10 1101 iiii 1010 000 iiiii"),
];

/// Fills a pattern. `free` gives the next random bit, `register` a number for a letter.
/// Returns one or two halfwords.
pub(crate) fn fill(
    pattern: &str,
    mut free: impl FnMut() -> bool,
    mut register: impl FnMut(bool) -> u8,
) -> Vec<u16> {
    let bits: Vec<char> = pattern.chars().filter(|c| *c != ' ').collect();
    assert!(bits.len() == 16 || bits.len() == 32, "length of {pattern}");
    let mut values = [None; 256];
    let mut out = Vec::new();
    let mut at = 0;
    while at < bits.len() {
        let c = bits[at];
        match c {
            '0' | '1' => out.push(c == '1'),
            'n' | 'm' | 'd' | 'a' | 't' | 'x' | 'l' | 'h' => {
                let width = bits[at..].iter().take_while(|b| **b == c).count();
                // Two fields may touch (`mmm ddd`), one letter never fills more than 4.
                let width = width.min(4);
                let low = width == 3;
                if width < 3 {
                    out.extend((0..width).map(|_| free()));
                } else {
                    let value = *values[c as usize].get_or_insert_with(|| register(low));
                    out.extend((0..width).rev().map(|i| value >> i & 1 != 0));
                }
                at += width;
                continue;
            }
            _ => out.push(free()),
        }
        at += 1;
    }
    out.chunks(16)
        .map(|half| half.iter().fold(0, |word, bit| word << 1 | u16::from(*bit)))
        .collect()
}
