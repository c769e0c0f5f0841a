//! Signals by number and by name, as `kill ID SIGNAL` takes them.

/// The names of signals 1 to 31, in order (signal(7), the numbering of x86, arm and most others).
const NAMES: [&str; 31] = [
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM", "TERM",
    "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO",
    "PWR", "SYS",
];

/// Alternative names.
const ALIASES: [(&str, i32); 4] = [("IOT", 6), ("CLD", 17), ("POLL", 29), ("UNUSED", 31)];

/// The first and the last realtime signal that a program can use: the C library reserves 32 and 33.
const RT: (i32, i32) = (34, 64);

/// The number of a signal (0 only asks whether one could be sent): `9`, `KILL`, `SIGKILL`, `kill`, `RTMIN+3`,
/// `SIGRTMAX-1`. The empty word is SIGTERM.
pub(crate) fn parse(word: &str) -> anyhow::Result<i32> {
    number(word).ok_or_else(|| anyhow::anyhow!("unknown signal {word:?}"))
}

fn number(word: &str) -> Option<i32> {
    if word.is_empty() {
        return Some(libc::SIGTERM);
    }
    if word.bytes().all(|byte| byte.is_ascii_digit()) {
        return word.parse().ok().filter(|number| (0..=RT.1).contains(number));
    }
    let name = word.to_ascii_uppercase();
    let name = name.strip_prefix("SIG").unwrap_or(&name);
    if let Some(index) = NAMES.iter().position(|known| *known == name) {
        return Some(index as i32 + 1);
    }
    if let Some((_, number)) = ALIASES.iter().find(|(known, _)| *known == name) {
        return Some(*number);
    }
    let (base, distance) = match (name.strip_prefix("RTMIN"), name.strip_prefix("RTMAX")) {
        (Some(rest), _) => (RT.0, offset(rest, '+')?),
        (_, Some(rest)) => (RT.1, -offset(rest, '-')?),
        _ => return None,
    };
    Some(base + distance).filter(|number| (RT.0..=RT.1).contains(number))
}

/// The name of a signal: `SIGKILL`, `SIGRTMIN+3`.
pub(crate) fn name(number: i32) -> String {
    let known = usize::try_from(number - 1).ok().and_then(|index| NAMES.get(index));
    match known {
        Some(name) => format!("SIG{name}"),
        None if number >= RT.0 => format!("SIGRTMIN+{}", number - RT.0),
        None => format!("signal {number}"),
    }
}

/// The number after the sign; 0 if there is none.
fn offset(rest: &str, sign: char) -> Option<i32> {
    if rest.is_empty() {
        return Some(0);
    }
    let digits = rest.strip_prefix(sign)?;
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse::<u8>().ok()).flatten().map(i32::from)
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn numbers_and_names_in_any_case() {
        for (word, number) in [
            ("9", libc::SIGKILL),
            ("KILL", libc::SIGKILL),
            ("SIGKILL", libc::SIGKILL),
            ("kill", libc::SIGKILL),
            ("SigTerm", libc::SIGTERM),
            ("", libc::SIGTERM),
            ("1", libc::SIGHUP),
            ("sys", libc::SIGSYS),
            ("WINCH", libc::SIGWINCH),
            ("CHLD", libc::SIGCHLD),
            ("cld", libc::SIGCHLD),
            ("POLL", libc::SIGIO),
            ("IOT", libc::SIGABRT),
            ("64", 64),
            ("0", 0),
            ("RTMIN", 34),
            ("SIGRTMIN+3", 37),
            ("rtmin+30", 64),
            ("RTMAX", 64),
            ("rtmax-1", 63),
            ("SIGRTMAX-30", 34),
        ] {
            assert_eq!(parse(word).expect(word), number, "{word}");
        }
    }

    #[test]
    fn every_name_is_a_signal_again() {
        for number in (1..=31).chain(34..=64) {
            assert_eq!(parse(&super::name(number)).expect("a signal"), number);
        }
        assert_eq!(super::name(32), "signal 32");
    }

    #[test]
    fn what_is_no_signal_is_said() {
        for word in
            ["65", "-9", "+9", "9x", "SIG", "SIGSIGKILL", "FOO", "RTMIN+31", "RTMAX-31", "RTMIN-1", "RTMIN++1", " 9"]
        {
            let error = parse(word).expect_err(word).to_string();
            assert_eq!(error, format!("unknown signal {word:?}"));
        }
    }
}
