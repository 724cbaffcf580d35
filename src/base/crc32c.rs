/// How many bytes one step takes: as many tables are looked up at once.
const SLICES: usize = 16;

type Tables = [[u32; 256]; SLICES];

/// The Castagnoli polynomial, reflected.
const POLYNOMIAL: u32 = 0x82f6_3b78;

const fn tables() -> Tables {
    let mut tables = [[0; 256]; SLICES];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = (crc >> 1) ^ (POLYNOMIAL & (crc & 1).wrapping_neg());
            bit += 1;
        }
        tables[0][byte] = crc;
        byte += 1;
    }
    let mut slice = 1;
    while slice < SLICES {
        let mut byte = 0;
        while byte < 256 {
            let crc = tables[slice - 1][byte];
            tables[slice][byte] = (crc >> 8) ^ tables[0][(crc & 0xff) as usize];
            byte += 1;
        }
        slice += 1;
    }
    tables
}

thread_local! {
    /// Made at the first use: as constants they would be 16 kB of every download, and do not compress.
    static TABLES: Box<Tables> = Box::new(tables());
}

/// The CRC-32C (Castagnoli) of `bytes`, as Kafka's record batches carry it.
pub fn crc32c(bytes: &[u8]) -> u32 {
    TABLES.with(|tables| !update(tables, u32::MAX, bytes))
}

/// What four bytes come to, of which the last looks into table `last`.
#[inline(always)]
fn word(tables: &Tables, last: usize, bytes: [u8; 4], before: u32) -> u32 {
    let word = before ^ u32::from_le_bytes(bytes);
    tables[last + 3][(word & 0xff) as usize]
        ^ tables[last + 2][(word >> 8 & 0xff) as usize]
        ^ tables[last + 1][(word >> 16 & 0xff) as usize]
        ^ tables[last][(word >> 24) as usize]
}

fn update(tables: &Tables, mut crc: u32, bytes: &[u8]) -> u32 {
    let (chunks, rest) = bytes.as_chunks::<SLICES>();
    for chunk in chunks {
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = *chunk;
        // Only the first of them waits for the step before.
        let others = word(tables, 8, [e, f, g, h], 0)
            ^ word(tables, 4, [i, j, k, l], 0)
            ^ word(tables, 0, [m, n, o, p], 0);
        crc = others ^ word(tables, 12, [a, b, c, d], crc);
    }
    for byte in rest {
        crc = (crc >> 8) ^ tables[0][((crc ^ u32::from(*byte)) & 0xff) as usize];
    }
    crc
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crc32c_of_known_bytes() {
        assert_eq!(crc32c(b""), 0);
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c(&[0xff; 32]), 0x62a8_ab43);
    }

    #[test]
    fn every_length_agrees_with_a_crc_bit_by_bit() {
        let bytes: Vec<u8> = (0..100).map(|index| (index * 37 + 11) as u8).collect();
        for length in 0..bytes.len() {
            let slow = bytes[..length].iter().fold(u32::MAX, |crc, byte| {
                (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (POLYNOMIAL * (crc & 1)))
            });
            assert_eq!(crc32c(&bytes[..length]), !slow);
        }
    }
}
