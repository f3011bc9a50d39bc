//! The Internet checksum (RFC 1071), written independently of the agent's.

/// The one's complement of the one's complement sum of 16-bit words; an odd last byte is padded with zero.
pub fn internet(bytes: &[u8]) -> [u8; 2] {
    let words = bytes.chunks(2).map(|pair| match *pair {
        [high, low] => u32::from(u16::from_be_bytes([high, low])),
        [high] => u32::from(high) << 8,
        _ => 0,
    });
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    // Folded above, so the upper half is zero.
    let [_, _, high, low] = (!sum & 0xffff).to_be_bytes();
    [high, low]
}

#[cfg(test)]
mod tests {
    use super::internet;

    #[test]
    fn the_sum_of_a_message_with_its_checksum_is_zero() {
        // A captured VRRPv2 advert, sum in bytes 6 and 7.
        let advert = [0x21, 0x33, 0xc8, 1, 0, 1, 0x0c, 0x19, 0x0a, 0x4d, 0, 0x64, 0, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(internet(&advert), [0, 0]);
        let mut without = advert;
        without[6..8].fill(0);
        assert_eq!(internet(&without), [0x0c, 0x19]);
    }
}
