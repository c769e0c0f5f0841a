//! Comparing lists of lines, and showing what differs.

use super::{Change, Difference, Differences, Line, common_place, compare, without_bundle, without_ids};

fn differences(old: &[&str], new: &[&str]) -> Differences {
    let lines = |texts: &[&str]| {
        let line = |(index, text): (usize, &&str)| Line { origin: format!("/at/{index}"), text: (*text).to_owned() };
        texts.iter().enumerate().map(line).collect::<Vec<_>>()
    };
    let mut list = Vec::new();
    compare("init", lines(old), lines(new), &mut list);
    Differences { old: "A".to_owned(), new: "B".to_owned(), differences: list }
}

fn changes(old: &[&str], new: &[&str]) -> String {
    let show = |difference: &Difference| {
        let sign = if difference.change == Change::Removed { '-' } else { '+' };
        format!("{sign}{}", difference.act)
    };
    differences(old, new).differences.iter().map(show).collect::<Vec<_>>().join(" ")
}

#[test]
fn lines_of_both_lists_in_the_same_order_do_not_differ() {
    for (old, new, wanted) in [
        ("", "", ""),
        ("a b c", "a b c", ""),
        ("a b c", "a c", "-b"),
        ("a c", "a b c", "+b"),
        ("a b c", "a x c", "-b +x"),
        ("a b c d", "d a b c", "+d -d"),
        ("a b", "b a", "+b -b"),
        ("a a b", "a b", "-a"),
        ("c a b d", "a b c d", "-c +c"),
        ("a", "", "-a"),
        ("", "a", "+a"),
    ] {
        let words = |text: &'static str| text.split_whitespace().collect::<Vec<_>>();
        assert_eq!(changes(&words(old), &words(new)), wanted, "{old:?} {new:?}");
    }
}

#[test]
fn adjacent_lines_that_differ_in_one_word_are_shown_as_one() {
    let text = differences(&["mask /a", "mask /b", "mask /c x", "umask"], &["mask /d", "make /e read", "make /f read"]);
    let wanted = "--- A\n+++ B\ninit\n- /at    mask /a, /b\n- /at/2  mask /c x\n- /at/3  umask\n\
                  + /at/0  mask /d\n+ /at    make /e, /f read\n";
    assert_eq!(text.to_string(), wanted);
    assert_eq!(differences(&["a"], &["a"]).to_string(), "");
}

#[test]
fn a_common_place_is_a_whole_pointer() {
    for (first, next, wanted) in
        [("/a/1", "/a/10", "/a"), ("/a/1", "/a/1/b", "/a/1"), ("/a", "/b", ""), ("/a/b", "/a", "/a"), ("", "/a", "")]
    {
        assert_eq!(common_place(first, next), wanted, "{first} {next}");
    }
}

#[test]
fn the_bundle_and_generated_names_can_be_left_out() {
    for (text, wanted) in [
        ("bind /b/rootfs as root", "bind BUNDLE/rootfs as root"),
        ("bind /b on /x", "bind BUNDLE on /x"),
        ("bind /bin on /b2", "bind /bin on /b2"),
        ("bind /x/b on /y", "bind /x/b on /y"),
    ] {
        assert_eq!(without_bundle(text, "/b"), wanted, "{text}");
    }
    assert_eq!(without_bundle("bind / on /x", "/"), "bind / on /x");
    for (text, wanted) in [
        ("bind /c/99e0f10d40d9391d8e96f265/hosts on /etc/hosts", "bind /c/ID/hosts on /etc/hosts"),
        ("set hostname to 99e0f10d40d9", "set hostname to ID"),
        ("write \"deadbeef\" to memory.max", "write \"deadbeef\" to memory.max"),
        ("env KEY=99e0f10d40d9-x", "env KEY=ID-x"),
    ] {
        assert_eq!(without_ids(text), wanted, "{text}");
    }
}
