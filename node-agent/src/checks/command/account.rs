//! Whom a program runs as: by number, or by name as /etc/passwd has it.
//!
//! Read without the C library, which in a statically linked agent has no plug-ins to ask. An image that holds nothing but
//! the agent has no /etc/passwd either; there is always a user nobody.

use std::{fs, io};

use nix::unistd::{Gid, Uid};
use thiserror::Error;

/// The user and group nobody: what every Linux gives those who are nobody, whatever the names.
const NOBODY: (u32, u32) = (65534, 65534);

/// Why there is no account.
#[derive(Debug, Error)]
pub(in crate::checks) enum AccountError {
    #[error("there is no user {0} in /etc/passwd; write the number of a user instead")]
    Unknown(String),
    #[error("cannot look up user {user} in /etc/passwd: {source}; write the number of a user instead")]
    Read { user: String, source: io::Error },
}

/// The user and group of an account. It may block.
pub(super) fn account(user: &str) -> Result<(Uid, Gid), AccountError> {
    let passwd = match fs::read_to_string("/etc/passwd") {
        Ok(passwd) => passwd,
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        // A number needs no file.
        Err(source) if user.parse::<u32>().is_err() => {
            return Err(AccountError::Read { user: user.to_owned(), source });
        }
        Err(_) => String::new(),
    };
    let (uid, gid) = look_up(user, &passwd).ok_or_else(|| AccountError::Unknown(user.to_owned()))?;
    Ok((Uid::from_raw(uid), Gid::from_raw(gid)))
}

/// A number without an account is its own group, as nobody else's is safe to take.
fn look_up(user: &str, passwd: &str) -> Option<(u32, u32)> {
    let accounts = || passwd.lines().filter_map(parse);
    if let Ok(number) = user.parse() {
        let group = accounts().find(|(_, uid, _)| *uid == number).map_or(number, |(_, _, gid)| gid);
        return Some((number, group));
    }
    let found = accounts().find(|(name, ..)| *name == user).map(|(_, uid, gid)| (uid, gid));
    found.or_else(|| (user == "nobody").then_some(NOBODY))
}

/// `name:password:uid:gid:comment:home:shell`; passwd(5).
fn parse(line: &str) -> Option<(&str, u32, u32)> {
    let mut fields = line.split(':');
    let name = fields.next()?;
    let _password = fields.next()?;
    Some((name, fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\n# a comment\n+nis\nweb:x:1001:2002::/:/bin/false\n";

    #[test]
    fn accounts_are_found_by_name_and_by_number() {
        for (user, expected) in [
            ("root", Some((0, 0))),
            ("web", Some((1001, 2002))),
            ("1001", Some((1001, 2002))),
            ("4711", Some((4711, 4711))),
            ("we", None),
            ("# a comment", None),
            ("", None),
            ("-1", None),
        ] {
            assert_eq!(look_up(user, PASSWD), expected, "{user:?}");
        }
    }

    #[test]
    fn there_is_always_a_user_nobody() {
        assert_eq!(look_up("nobody", ""), Some(NOBODY));
        assert_eq!(look_up("nobody", "nobody:x:99:98::/:\n"), Some((99, 98)), "as this machine has it");
    }
}
