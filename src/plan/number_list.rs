//! Parses lists of CPUs and memory nodes, such as `0-3,7`.
//!
//! Leaves to its callers which numbers exist on this host.

/// Parses a list of numbers and ranges. The error is the text of the problem.
pub(super) fn ranges(list: &str) -> Result<Vec<(u32, u32)>, String> {
    list.split(',')
        .map(|part| match range(part, number) {
            None => Err(format!("{list:?} is not a list such as \"0-3,7\"")),
            Some((low, high)) if low > high => {
                Err(format!("{list:?} has a range that ends below its start: {low}-{high}"))
            }
            Some(range) => Ok(range),
        })
        .collect()
}

/// Checks a list against the grammar of the kernel's `bitmap_parselist`: `0-3,7`, `0-31:2/8`, `all`, and `N` for the
/// last number.
pub(super) fn check_kernel_list(list: &str) -> Result<(), String> {
    let number_or_last = |text: &str| if text == "N" { Some(u32::MAX) } else { number(text) };
    for part in list.split(',').map(str::trim) {
        let bad = || format!("\"{part}\" is not a number or range; expected a list such as \"0-3,7\"");
        let (text, pattern) = part.split_once(':').map_or((part, None), |(text, pattern)| (text, Some(pattern)));
        if text != "all" {
            let (first, last) = range(text, number_or_last).ok_or_else(bad)?;
            if first > last {
                return Err(format!("\"{part}\" is a range that ends below its start"));
            }
        }
        if let Some(pattern) = pattern {
            let (used, group) = pattern.split_once('/').ok_or_else(bad)?;
            let (used, group) = number(used).zip(number(group)).ok_or_else(bad)?;
            if group == 0 || used > group {
                return Err(bad());
            }
        }
    }
    Ok(())
}

/// The numbers of a list as a bit mask. Empty if the list is malformed, which `validate` reports.
pub(super) fn bits(list: &str) -> Vec<u64> {
    let mut words = Vec::new();
    for (first, last) in ranges(list).unwrap_or_default() {
        // No kernel supports more nodes or CPUs, so larger numbers would only cost memory.
        for bit in first..=last.min(65_535) {
            let word = bit as usize / 64;
            if words.len() <= word {
                words.resize(word + 1, 0);
            }
            words[word] |= 1 << (bit % 64);
        }
    }
    words
}

/// A range, or a single number as a range of one. `None` if the text is neither.
fn range(text: &str, number: impl Fn(&str) -> Option<u32>) -> Option<(u32, u32)> {
    let (low, high) = text.split_once('-').unwrap_or((text, text));
    Some((number(low)?, number(high)?))
}

/// A decimal number without a sign.
fn number(text: &str) -> Option<u32> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::{check_kernel_list, ranges};

    #[test]
    fn ranges_are_numbers_separated_by_commas_and_hyphens() {
        assert_eq!(ranges("0-3,7"), Ok(vec![(0, 3), (7, 7)]));
        for list in ["", ",", "1,", "1-", "-1", "1--2", "a", "+1", " 1", "0x1", "4294967296"] {
            assert!(ranges(list).is_err(), "{list:?}");
        }
    }

    #[test]
    fn kernel_lists_follow_the_kernels_grammar() {
        for good in ["0", "0-3,7", " 1 , 2-2 ", "all", "0-N", "N", "0-31:2/8", "all:1/2"] {
            assert_eq!(check_kernel_list(good), Ok(()), "{good}");
        }
        for bad in ["", ",", "1,", "-1", "1-", "a", "1-2-3", "0x1", "0-3:2", "0-3:3/2", "0-3:1/0", "1 2", "N-1", "+1"] {
            assert!(check_kernel_list(bad).is_err(), "{bad}");
        }
    }
}
