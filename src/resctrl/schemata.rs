//! Parses and compares lines of a schemata file, such as `L3:0=ff;1=0f`: a resource, and a value for each domain.
//! Reading and writing files is left to the parent module.

use std::collections::BTreeMap;

/// Checks that `schemata` has every value of `line`; the error is the reason. Ignores the order of domains, white space
/// and leading zeros.
pub(super) fn agrees(line: &str, schemata: &str) -> Result<(), String> {
    let (resource, wanted) = parse(line).ok_or("not a line of a schemata file")?;
    let there = schemata.lines().filter_map(parse).find(|(name, _)| *name == resource).map(|(_, values)| values);
    let there = there.ok_or_else(|| format!("the group has no {resource}"))?;
    for (domain, value) in wanted {
        match there.get(domain) {
            Some(found) if *found == value => (),
            Some(found) => return Err(format!("the group has {domain}={found}")),
            None => return Err(format!("the group has no domain {domain}")),
        }
    }
    Ok(())
}

/// The lines to write to change a group from `now` back to `before`.
pub(super) fn to_go_back(before: &str, now: &str) -> Vec<String> {
    let changed = before.lines().filter(|line| !line.trim().is_empty() && agrees(line, now).is_err());
    changed.map(|line| line.trim().to_owned()).collect()
}

fn parse(line: &str) -> Option<(&str, BTreeMap<&str, &str>)> {
    let (resource, values) = line.split_once(':')?;
    let pairs = values.split(';').filter(|one| !one.trim().is_empty());
    let pair = |one| str::split_once(one, '=').map(|(domain, value)| (plain(domain), plain(value)));
    Some((resource.trim(), pairs.map(pair).collect::<Option<_>>()?))
}

fn plain(number: &str) -> &str {
    let trimmed = number.trim();
    let rest = trimmed.trim_start_matches('0');
    if rest.is_empty() && !trimmed.is_empty() { &trimmed[trimmed.len() - 1..] } else { rest }
}

#[cfg(test)]
mod tests {
    use super::{agrees, to_go_back};

    #[test]
    fn schemata_comparison_ignores_order_white_space_and_leading_zeros() {
        let there = "    L3:0=00ff;1=000f\n    MB:0= 100;1=  50\n";
        for line in ["L3:0=ff;1=f", "L3: 1=0f ; 0=ff", "L3:0=ff", "MB:1=50;0=100", "L3:"] {
            assert_eq!(agrees(line, there), Ok(()), "{line}");
        }
        for (line, why) in [
            ("L3:0=ff;1=ff", "the group has 1=f"),
            ("L3:2=ff", "the group has no domain 2"),
            ("L2:0=1", "the group has no L2"),
            ("L3", "not a line of a schemata file"),
            ("L3:0", "not a line of a schemata file"),
        ] {
            assert_eq!(agrees(line, there), Err(why.to_owned()), "{line}");
        }
        assert_eq!(agrees("L3:0=0", "L3:0=0000"), Ok(()));
        assert!(agrees("L3:0=0", "L3:0=f0").is_err());
    }
    #[test]
    fn only_changed_schemata_lines_are_restored() {
        let before = "    L3:0=ff;1=0f\n    MB:0=100;1=50\n";
        assert_eq!(to_go_back(before, "    L3:0=00f;1=f\n    MB:0=100;1=50\n"), ["L3:0=ff;1=0f"]);
        assert!(to_go_back(before, before).is_empty());
    }
}
