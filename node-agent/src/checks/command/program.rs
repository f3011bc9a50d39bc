//! Which programs may be run: those below the command folder that nobody but root can change.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};

use nix::unistd::{Gid, Uid};
use thiserror::Error;

use super::account::{AccountError, account};

/// A program that has been looked at, and whom to run it as.
#[derive(Debug)]
pub(super) struct Program {
    /// Its path, free of symbolic links.
    pub(super) path: PathBuf,
    pub(super) arguments: Vec<String>,
    pub(super) user: Uid,
    pub(super) group: Gid,
}

/// Why a command is refused.
#[derive(Debug, Error)]
pub(in crate::checks) enum ProgramError {
    #[error("the command is empty")]
    Empty,
    #[error("{0} is no path below the command folder: write it without a leading slash and without \"..\"")]
    NotBelow(String),
    #[error("cannot look at {}: {source}", path.display())]
    Look { path: PathBuf, source: io::Error },
    #[error("{command} leads out of the command folder, to {}", target.display())]
    LeadsOut { command: String, target: PathBuf },
    #[error("{} belongs to user {owner}, not to root", path.display())]
    NotOfRoot { path: PathBuf, owner: u32 },
    #[error("{} can be written by others than root (mode {mode:04o})", path.display())]
    Writable { path: PathBuf, mode: u32 },
    #[error("{} is not an executable file", .0.display())]
    NotExecutable(PathBuf),
    #[error(transparent)]
    Account(#[from] AccountError),
}

impl Program {
    /// Finds the program that `command` begins with below `folder`, for `user`. It may block.
    pub(super) fn find(folder: &Path, command: &[String], user: &str) -> Result<Self, ProgramError> {
        let (name, arguments) = command.split_first().ok_or(ProgramError::Empty)?;
        if name.is_empty() || !Path::new(name).components().all(is_downward) {
            return Err(ProgramError::NotBelow(name.clone()));
        }
        let folder = resolve(folder)?;
        let path = resolve(&folder.join(name))?;
        if path == folder || !path.starts_with(&folder) {
            return Err(ProgramError::LeadsOut { command: name.clone(), target: path });
        }
        only_root_can_change(&path, &folder)?;
        let metadata = look(&path)?;
        if !metadata.is_file() || metadata.mode() & 0o111 == 0 {
            return Err(ProgramError::NotExecutable(path));
        }
        let (user, group) = account(user)?;
        Ok(Self { path, arguments: arguments.to_vec(), user, group })
    }
}

fn is_downward(part: Component<'_>) -> bool {
    matches!(part, Component::Normal(_) | Component::CurDir)
}

/// Checks the file, every folder up to the command folder, and every folder above that: whoever can rename one of them
/// can put another program in its place.
fn only_root_can_change(path: &Path, command_folder: &Path) -> Result<(), ProgramError> {
    for place in path.ancestors() {
        let metadata = look(place)?;
        if metadata.uid() != 0 {
            return Err(ProgramError::NotOfRoot { path: place.to_owned(), owner: metadata.uid() });
        }
        // Above the command folder a sticky folder such as /tmp will do: what root owns in it, nobody else can rename.
        let is_above = !place.starts_with(command_folder);
        if is_writable_by_others(&metadata) && !(is_above && is_sticky(&metadata)) {
            let mode = metadata.permissions().mode() & 0o7777;
            return Err(ProgramError::Writable { path: place.to_owned(), mode });
        }
    }
    Ok(())
}

fn is_writable_by_others(metadata: &Metadata) -> bool {
    metadata.mode() & 0o022 != 0
}

fn is_sticky(metadata: &Metadata) -> bool {
    metadata.mode() & 0o1000 != 0
}

fn resolve(path: &Path) -> Result<PathBuf, ProgramError> {
    fs::canonicalize(path).map_err(|source| ProgramError::Look { path: path.to_owned(), source })
}

fn look(path: &Path) -> Result<Metadata, ProgramError> {
    fs::symlink_metadata(path).map_err(|source| ProgramError::Look { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::{chown, symlink};

    use super::*;

    /// A command folder with one good program, `good`, and one in a folder below, `sub/good`.
    fn command_folder() -> tempfile::TempDir {
        assert!(Uid::effective().is_root(), "these tests give files to other users, so they must run as root");
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("sub")).unwrap();
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        fs::set_permissions(folder.path().join("sub"), Permissions::from_mode(0o755)).unwrap();
        for name in ["good", "sub/good"] {
            write(&folder.path().join(name), 0o755);
        }
        folder
    }

    fn write(path: &Path, mode: u32) {
        fs::write(path, "#!/bin/sh\n").unwrap();
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    fn find(folder: &Path, program: &str) -> Result<Program, ProgramError> {
        Program::find(folder, &[program.to_owned(), "argument".to_owned()], "nobody")
    }

    #[test]
    fn a_program_that_only_root_can_change_is_found_below_the_folder() {
        let folder = command_folder();
        for name in ["good", "sub/good", "./good", "sub//./good"] {
            let program = find(folder.path(), name).unwrap();
            assert_eq!(program.path, fs::canonicalize(folder.path().join(name)).unwrap());
            assert_eq!(program.arguments, ["argument"]);
            assert!(!program.user.is_root());
        }
    }

    #[test]
    fn a_path_that_could_leave_the_folder_is_refused_before_it_is_looked_at() {
        let folder = command_folder();
        for name in ["", "/bin/true", "../good", "sub/../good", "..", "sub/../../etc/passwd"] {
            assert!(matches!(find(folder.path(), name), Err(ProgramError::NotBelow(_))), "{name:?}");
        }
        assert!(matches!(Program::find(folder.path(), &[], "nobody"), Err(ProgramError::Empty)));
    }

    #[test]
    fn a_symbolic_link_may_stay_inside_the_folder_and_not_leave_it() {
        let folder = command_folder();
        symlink("sub/good", folder.path().join("inside")).unwrap();
        symlink("/bin/true", folder.path().join("outside")).unwrap();
        symlink("/", folder.path().join("root")).unwrap();
        symlink("..", folder.path().join("up")).unwrap();
        symlink("sub/..", folder.path().join("itself")).unwrap();
        symlink("loop", folder.path().join("loop")).unwrap();

        assert!(find(folder.path(), "inside").is_ok());
        for name in ["outside", "root/bin/true", "up", "itself", "."] {
            assert!(matches!(find(folder.path(), name), Err(ProgramError::LeadsOut { .. })), "{name}");
        }
        assert!(matches!(find(folder.path(), "loop"), Err(ProgramError::Look { .. })));
    }

    #[test]
    fn a_name_that_only_begins_like_the_folder_is_outside() {
        let above = command_folder();
        for name in ["commands", "commands-of-others"] {
            fs::create_dir(above.path().join(name)).unwrap();
            fs::set_permissions(above.path().join(name), Permissions::from_mode(0o755)).unwrap();
        }
        write(&above.path().join("commands-of-others/program"), 0o755);
        symlink("../commands-of-others/program", above.path().join("commands/program")).unwrap();

        let found = find(&above.path().join("commands"), "program");
        assert!(matches!(found, Err(ProgramError::LeadsOut { .. })), "{found:?}");
    }

    #[test]
    fn whatever_others_could_write_is_refused() {
        let folder = command_folder();
        for mode in [0o775, 0o757, 0o777, 0o722] {
            write(&folder.path().join("loose"), mode);
            assert!(matches!(find(folder.path(), "loose"), Err(ProgramError::Writable { .. })), "file {mode:o}");
        }
        for mode in [0o775, 0o757, 0o1777] {
            fs::set_permissions(folder.path().join("sub"), Permissions::from_mode(mode)).unwrap();
            assert!(matches!(find(folder.path(), "sub/good"), Err(ProgramError::Writable { .. })), "sub {mode:o}");
        }
        assert!(find(folder.path(), "good").is_ok());
        for mode in [0o775, 0o757, 0o1777] {
            fs::set_permissions(folder.path(), Permissions::from_mode(mode)).unwrap();
            assert!(matches!(find(folder.path(), "good"), Err(ProgramError::Writable { .. })), "folder {mode:o}");
        }
    }

    #[test]
    fn a_folder_above_may_be_writable_only_if_it_is_sticky() {
        let above = command_folder();
        let folder = above.path().join("sub");
        fs::set_permissions(above.path(), Permissions::from_mode(0o1777)).unwrap();
        assert!(find(&folder, "good").is_ok());
        fs::set_permissions(above.path(), Permissions::from_mode(0o777)).unwrap();
        assert!(matches!(find(&folder, "good"), Err(ProgramError::Writable { .. })));
    }

    #[test]
    fn whatever_belongs_to_another_user_is_refused() {
        for foreign in ["good", "sub", "."] {
            let folder = command_folder();
            chown(folder.path().join(foreign), Some(65534), None).unwrap();
            let program = if foreign == "sub" { "sub/good" } else { "good" };
            let found = find(folder.path(), program);
            assert!(matches!(found, Err(ProgramError::NotOfRoot { owner: 65534, .. })), "{foreign}: {found:?}");
        }
    }

    #[test]
    fn only_an_executable_file_is_a_program() {
        let folder = command_folder();
        write(&folder.path().join("data"), 0o644);
        for name in ["data", "sub"] {
            assert!(matches!(find(folder.path(), name), Err(ProgramError::NotExecutable(_))), "{name}");
        }
        assert!(matches!(find(folder.path(), "missing"), Err(ProgramError::Look { .. })));
    }

    #[test]
    fn an_unknown_user_is_refused() {
        let folder = command_folder();
        let found = Program::find(folder.path(), &["good".to_owned()], "no-such-user");
        assert!(matches!(found, Err(ProgramError::Account(AccountError::Unknown(_)))), "{found:?}");
    }
}
