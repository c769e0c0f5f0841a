//! Changes a document so that oci-spec can read it: removes what the specification says to ignore, and replaces words
//! that oci-spec spells differently.
//!
//! Also maps places in the changed document back to places in the original document. Deliberately decides nothing: the
//! list of changes comes from `spec::scan`.

use crate::spec::pointer::Pointer;
use crate::spec::scan::Fix;
use serde_json::Value;
use std::collections::HashMap;

/// Applies all `fixes` to the document `text`, and returns JSON text. Returns text because a second reader type for
/// oci-spec would double the code generated for it, and this path is rare.
///
/// # Errors
/// If the text is nested deeper than serde_json's own limit.
pub(super) fn apply(
    text: &str,
    fixes: &HashMap<String, Fix>,
    defaults: &[(Pointer, &str)],
) -> Result<String, serde_json::Error> {
    let mut document: Value = serde_json::from_str(text)?;
    // First, while all places are still those of the original document.
    for (at, value) in defaults {
        let (parent, name) = at.as_str().rsplit_once('/').unwrap_or_default();
        if let Some(Value::Object(members)) = document.pointer_mut(parent) {
            members.insert(name.to_owned(), serde_json::from_str(value)?);
        }
    }
    walk(&mut document, &Pointer::of(""), fixes);
    serde_json::to_string(&document)
}

fn walk(value: &mut Value, at: &Pointer, fixes: &HashMap<String, Fix>) {
    let keep = |child: &mut Value, place: &Pointer| match fixes.get(place.as_str()) {
        Some(Fix::Remove) => false,
        Some(Fix::Set(other)) => {
            *child = other.clone();
            true
        }
        None => {
            walk(child, place, fixes);
            true
        }
    };
    match value {
        Value::Object(members) => members.retain(|name, child| keep(child, &at.key(name))),
        Value::Array(elements) => {
            let mut index = 0;
            elements.retain_mut(|child| {
                index += 1;
                keep(child, &at.index(index - 1))
            });
        }
        _ => {}
    }
}

/// Maps a place in the changed document to its place in the original. Removed elements shift the indices after them.
pub(super) fn relocate(place: &Pointer, fixes: &HashMap<String, Fix>) -> Pointer {
    let mut original = Pointer::of("");
    for token in place.as_str().split('/').skip(1) {
        original = match token.parse::<usize>() {
            Ok(index) if index.to_string() == token => element(&original, index, fixes),
            _ => original.key(&token.replace("~1", "/").replace("~0", "~")),
        };
    }
    original
}

/// The original place of the element that has number `index` in the list at `list` after the removals.
fn element(list: &Pointer, index: usize, fixes: &HashMap<String, Fix>) -> Pointer {
    let mut left = index;
    let mut place = list.index(0);
    for original in 0.. {
        place = list.index(original);
        if fixes.get(place.as_str()) == Some(&Fix::Remove) {
            continue;
        }
        if left == 0 {
            break;
        }
        left -= 1;
    }
    place
}

#[cfg(test)]
mod tests {
    use super::{apply, relocate};
    use crate::spec::pointer::Pointer;
    use crate::spec::scan::Fix;
    use serde_json::{Value, json};
    use std::collections::HashMap;

    fn fixes(places: &[&str]) -> HashMap<String, Fix> {
        places.iter().map(|place| ((*place).to_owned(), Fix::Remove)).collect()
    }

    #[test]
    fn indices_refer_to_the_original_document() {
        let mut changes = fixes(&["/a/0", "/a/2", "/a/3", "/a/4/x", "/b~1c/1/d/0"]);
        changes.insert("/a/1/y".to_owned(), Fix::Set(json!(7)));
        let text = r#"{"a": [0, {"y": 1}, 2, 3, {"x": 1, "z": [5]}, 5], "b/c": [0, {"d": [1, 2]}]}"#;
        let changed: Value = serde_json::from_str(&apply(text, &changes, &[]).expect("JSON")).expect("JSON");
        assert_eq!(changed, json!({"a": [{"y": 7}, {"z": [5]}, 5], "b/c": [0, {"d": [2]}]}));
        for (place, original) in [
            ("", ""),
            ("/a", "/a"),
            ("/a/0/y", "/a/1/y"),
            ("/a/1/z/0", "/a/4/z/0"),
            ("/a/2", "/a/5"),
            ("/a/3", "/a/6"),
            ("/b~1c/1/d/0", "/b~1c/1/d/1"),
            ("/b~1c/007", "/b~1c/007"),
        ] {
            let at = place.split('/').skip(1).fold(Pointer::of(""), |at, token| at.key(&token.replace("~1", "/")));
            assert_eq!(relocate(&at, &changes).as_str(), original);
        }
    }
}
