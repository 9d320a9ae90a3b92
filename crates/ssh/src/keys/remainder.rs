//! Remainders of secret numbers: OpenSSH's files of RSA keys leave out `d mod (p - 1)` and `d mod (q - 1)`, without which nothing signs.
//!
//! Which steps are taken depends on how long the numbers are, not on what they are.

use zeroize::Zeroizing;

/// `number mod (modulus - 1)`, big-endian, as long as the modulus. The modulus is odd, as primes are; nothing for another.
pub(super) fn of_one_less(number: &[u8], modulus: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    // One byte more, for the bit that doubling may carry out.
    let mut less = Zeroizing::new(Vec::with_capacity(modulus.len() + 1));
    less.push(0);
    less.extend_from_slice(modulus);
    match less.last_mut() {
        // An odd number's last bit is all that changes.
        Some(last) if *last & 1 == 1 => *last ^= 1,
        Some(_) | None => return None,
    }
    let mut rest = Zeroizing::new(vec![0_u8; less.len()]);
    let mut other = rest.clone();
    for byte in number {
        for bit in (0..8).rev() {
            double(&mut rest, byte >> bit & 1);
            let smaller = subtract(&rest, &less, &mut other);
            // Where it did not go in, the difference is dropped.
            let keep = 0_u8.wrapping_sub(smaller);
            for (rest, other) in rest.iter_mut().zip(other.iter()) {
                *rest = *rest & keep | *other & !keep;
            }
        }
    }
    Some(Zeroizing::new(rest.get(1..)?.to_vec()))
}

/// Twice the number, and this bit.
fn double(number: &mut [u8], bit: u8) {
    let mut carry = bit;
    for byte in number.iter_mut().rev() {
        let next = *byte >> 7;
        *byte = *byte << 1 | carry;
        carry = next;
    }
}

/// `left - right`; 1 where `right` is the greater one, else 0.
fn subtract(left: &[u8], right: &[u8], difference: &mut [u8]) -> u8 {
    let mut borrow = 0_u16;
    for ((left, right), out) in left.iter().zip(right).zip(difference.iter_mut()).rev() {
        let step = 0x100 + u16::from(*left) - u16::from(*right) - borrow;
        *out = step.to_le_bytes()[0];
        borrow = 1 - (step >> 8);
    }
    borrow.to_le_bytes()[0]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn remainders_are_those_of_machine_numbers(number: u128, modulus in 3_u64..) {
            let modulus = modulus | 1;
            let found = of_one_less(&number.to_be_bytes(), &modulus.to_be_bytes()).unwrap();
            let expected = number % u128::from(modulus - 1);
            prop_assert_eq!(found.as_slice(), &u64::try_from(expected).unwrap().to_be_bytes()[..]);
        }
    }

    #[test]
    fn an_even_modulus_is_no_prime() {
        assert!(of_one_less(&[5], &[4]).is_none() && of_one_less(&[5], &[]).is_none());
        // Nothing but 0 is left of division by 0: such a key is refused by whoever checks it.
        assert!(of_one_less(&[5], &[1]).is_some());
    }
}
