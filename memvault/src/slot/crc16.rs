//! CRC16 as XMODEM has it: polynomial 0x1021, nothing reflected, beginning with 0. Eight bytes at a time, as a
//! key is hashed with each request and one byte at a time has to wait for the one before it.

/// The checksum of `bytes`.
pub(super) fn checksum(bytes: &[u8]) -> u16 {
    let (chunks, rest) = bytes.as_chunks::<8>();
    let crc = chunks.iter().fold(0, |crc, chunk| add_eight(crc, *chunk));
    rest.iter().fold(crc, |crc, byte| add_one(crc, *byte))
}

fn add_one(crc: u16, byte: u8) -> u16 {
    let [high, low] = crc.to_be_bytes();
    u16::from_be_bytes([low, 0]) ^ TABLES[0][usize::from(high ^ byte)]
}

fn add_eight(crc: u16, [a, b, c, d, e, f, g, h]: [u8; 8]) -> u16 {
    let [high, low] = crc.to_be_bytes();
    TABLES[7][usize::from(a ^ high)]
        ^ TABLES[6][usize::from(b ^ low)]
        ^ TABLES[5][usize::from(c)]
        ^ TABLES[4][usize::from(d)]
        ^ TABLES[3][usize::from(e)]
        ^ TABLES[2][usize::from(f)]
        ^ TABLES[1][usize::from(g)]
        ^ TABLES[0][usize::from(h)]
}

const POLYNOMIAL: u16 = 0x1021;

/// The checksum of each byte with 0 to 7 zero bytes behind it. 4 KiB.
static TABLES: [[u16; 256]; 8] = tables();

const fn tables() -> [[u16; 256]; 8] {
    let mut tables = [[0; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = zero_byte_behind((byte as u16) << 8);
        let mut behind = 0;
        while behind < 8 {
            tables[behind][byte] = crc;
            crc = zero_byte_behind(crc);
            behind += 1;
        }
        byte += 1;
    }
    tables
}

const fn zero_byte_behind(mut crc: u16) -> u16 {
    let mut bit = 0;
    while bit < 8 {
        let carry = crc >> 15;
        crc = (crc << 1) ^ (carry * POLYNOMIAL);
        bit += 1;
    }
    crc
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_value_of_the_catalogue() {
        assert_eq!(checksum(b"123456789"), 0x31c3);
        assert_eq!(checksum(b""), 0);
    }

    #[test]
    fn eight_bytes_at_a_time_are_as_one_by_one() {
        let bytes: [u8; 300] = core::array::from_fn(|at| (at * at / 3) as u8);
        for length in 0..bytes.len() {
            for start in 0..8.min(length) {
                let bytes = &bytes[start..length];
                let slowly = bytes.iter().fold(0, |crc, byte| add_one(crc, *byte));
                assert_eq!(checksum(bytes), slowly, "{start}..{length}");
            }
        }
    }
}
