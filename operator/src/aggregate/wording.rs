//! Messages of bounded length.

use std::collections::BTreeMap;

/// How many names or messages are listed; of the others only the number is told.
const LISTED: usize = 3;

/// The longest message of a condition, in characters.
pub(super) const LONGEST_MESSAGE: usize = 1024;

/// `a, b, c and 4 more`.
pub(crate) fn list<T: AsRef<str>>(items: &[T]) -> String {
    join(items, ", ")
}

/// What several nodes say, each message once: `node-1, node-2: no eth7; node-3: no eth8`.
pub(crate) fn by_message<'a>(said: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut nodes: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (node, message) in said {
        let nodes = nodes.entry(message).or_default();
        // The virtual routers of both families may say the same.
        if nodes.last() != Some(&node) {
            nodes.push(node);
        }
    }
    // What most nodes say comes first.
    let mut messages: Vec<(&str, Vec<&str>)> = nodes.into_iter().collect();
    messages.sort_by_key(|(_, nodes)| std::cmp::Reverse(nodes.len()));
    let messages: Vec<String> =
        messages.into_iter().map(|(message, nodes)| format!("{}: {message}", list(&nodes))).collect();
    join(&messages, "; ")
}

fn join<T: AsRef<str>>(items: &[T], separator: &str) -> String {
    let shown: Vec<&str> = items.iter().take(LISTED).map(AsRef::as_ref).collect();
    let more = items.len().saturating_sub(LISTED);
    let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
    shown.join(separator) + &rest
}

/// All items, separated by commas, as far as a column of a table has room for them.
pub(super) fn column<T: AsRef<str>>(items: impl IntoIterator<Item = T>) -> String {
    const WIDTH: usize = 256;
    let mut text = String::new();
    let mut left_out: usize = 0;
    for item in items {
        let item = item.as_ref();
        if left_out > 0 || text.chars().count() + item.chars().count() >= WIDTH {
            left_out += 1;
            continue;
        }
        if !text.is_empty() {
            text.push(',');
        }
        text.push_str(item);
    }
    if left_out > 0 { format!("{text},+{left_out}") } else { text }
}

/// `one node`, `3 nodes`.
pub(super) fn nodes(count: usize) -> String {
    if count == 1 { "one node".to_owned() } else { format!("{count} nodes") }
}

/// The beginning of a text, if it is longer than `longest` characters.
pub(super) fn shortened(text: String, longest: usize) -> String {
    // Most texts are short, and no text has more characters than bytes.
    if text.len() <= longest || text.chars().count() <= longest {
        return text;
    }
    let beginning: String = text.chars().take(longest.saturating_sub(1)).collect();
    beginning + "…"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_names_three_and_counts_the_others() {
        for (items, expected) in [
            (&[][..], ""),
            (&["a"], "a"),
            (&["a", "b", "c"], "a, b, c"),
            (&["a", "b", "c", "d"], "a, b, c and 1 more"),
            (&["a", "b", "c", "d", "e", "f", "g"], "a, b, c and 4 more"),
        ] {
            assert_eq!(list(items), expected);
        }
    }

    #[test]
    fn nodes_that_say_the_same_are_listed_together_and_the_most_come_first() {
        let said = [("a", "no eth7"), ("b", "no eth8"), ("b", "no eth8"), ("c", "no eth8")];
        assert_eq!(by_message(said), "b, c: no eth8; a: no eth7");
    }

    #[test]
    fn a_column_has_room_for_so_much() {
        assert_eq!(column(["192.0.2.1", "2001:db8::1"]), "192.0.2.1,2001:db8::1");
        let many: Vec<String> = (0..64).map(|number| format!("2001:db8:ffff:ffff::{number}")).collect();
        let text = column(&many);
        assert!(text.len() < 264, "{text}");
        assert!(text.starts_with("2001:db8:ffff:ffff::0,2001:db8:ffff:ffff::1,"), "{text}");
        assert!(text.ends_with(",+53"), "{text}");
        assert_eq!(column::<&str>([]), "");
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        assert_eq!(shortened("häuser".to_owned(), 6), "häuser");
        assert_eq!(shortened("häuser".to_owned(), 5), "häus…");
    }
}
