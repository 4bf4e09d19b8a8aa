//! G.711 µ-law (ITU-T G.711, table 2): what telephone networks carry.

const BIAS: i32 = 132;
const LOUDEST: i32 = 32_635;

/// One sample as one byte.
pub fn encode(sample: i16) -> u8 {
    let sign = if sample < 0 { 0x80 } else { 0 };
    let magnitude = i32::from(sample).abs().min(LOUDEST) + BIAS;
    let exponent = 31 - magnitude.leading_zeros() as i32 - 7;
    let mantissa = (magnitude >> (exponent + 3)) & 0x0f;
    !(sign | (exponent << 4) as u8 | mantissa as u8)
}

/// One byte as one sample.
pub fn decode(byte: u8) -> i16 {
    let byte = !byte;
    let exponent = i32::from(byte >> 4 & 0x07);
    let mantissa = i32::from(byte & 0x0f);
    let magnitude = (((mantissa << 3) + BIAS) << exponent) - BIAS;
    (if byte & 0x80 == 0 { magnitude } else { -magnitude }) as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_reads_back_as_it_was_written() {
        for byte in (0..=255).filter(|byte| *byte != 0x7f) {
            assert_eq!(encode(decode(byte)), byte, "{byte:#x}");
        }
        assert_eq!((decode(0xff), decode(0x80), decode(0x00)), (0, 32_124, -32_124));
    }

    #[test]
    fn no_sample_is_off_by_more_than_its_step() {
        for sample in i16::MIN..=i16::MAX {
            let off = (i32::from(decode(encode(sample))) - i32::from(sample)).abs();
            assert!(
                off <= 4 + i32::from(sample).abs() / 24 || i32::from(sample).abs() > LOUDEST,
                "{sample}: {off}"
            );
        }
    }
}
