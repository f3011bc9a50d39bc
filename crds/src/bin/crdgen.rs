//! Writes what follows from the types: `crdgen [--check] [DIR FILE]`.
//!
//! The custom resource definitions go into the folder, by default `crds/yaml` and once more where the chart needs them,
//! since a chart cannot reach beyond its own folder; the manifest reference into the file, by default
//! `docs/reference.md`.
//!
//! With `--check` it writes nothing and fails if the files are not what it would write.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use holdfast_crds::{definition, reference};

const DEFAULT_FOLDERS: [&str; 2] = [
    concat!(env!("CARGO_MANIFEST_DIR"), "/yaml"),
    concat!(env!("CARGO_MANIFEST_DIR"), "/../charts/holdfast/files/crds"),
];
const DEFAULT_REFERENCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/reference.md");
const USAGE: &str = "usage: crdgen [--check] [DIR FILE]";

/// Where everything goes.
struct Destination {
    definitions: Vec<PathBuf>,
    reference: PathBuf,
}

fn main() -> anyhow::Result<ExitCode> {
    let (check, destination) = parse_arguments(std::env::args().skip(1))?;
    let files = generate(&destination)?;
    if !check {
        write_all(&files)?;
        return Ok(ExitCode::SUCCESS);
    }
    let stale: Vec<_> = files.iter().filter(|(path, text)| !is_current(path, text)).collect();
    for (path, _) in &stale {
        eprintln!("{} is not what the types say: run `cargo run -p holdfast-crds --bin crdgen`", path.display());
    }
    Ok(if stale.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn parse_arguments(arguments: impl Iterator<Item = String>) -> anyhow::Result<(bool, Destination)> {
    let (mut check, mut paths) = (false, Vec::new());
    for argument in arguments {
        match argument.as_str() {
            "--check" => check = true,
            option if option.starts_with('-') => bail!("unknown option {option}\n{USAGE}"),
            path => paths.push(PathBuf::from(path)),
        }
    }
    let destination = match <[PathBuf; 2]>::try_from(paths) {
        Ok([folder, reference]) => Destination { definitions: vec![folder], reference },
        Err(paths) if paths.is_empty() => {
            Destination { definitions: DEFAULT_FOLDERS.map(PathBuf::from).into(), reference: DEFAULT_REFERENCE.into() }
        }
        Err(_) => bail!("give both, a folder and a file, or neither\n{USAGE}"),
    };
    Ok((check, destination))
}

/// The path and the text of each file.
fn generate(destination: &Destination) -> anyhow::Result<Vec<(PathBuf, String)>> {
    let mut files = vec![(destination.reference.clone(), reference::markdown())];
    for definition in definition::all() {
        let (name, text) = (format!("{}.yaml", definition.spec.names.plural), definition::to_yaml(&definition)?);
        files.extend(destination.definitions.iter().map(|folder| (folder.join(&name), text.clone())));
    }
    Ok(files)
}

fn write_all(files: &[(PathBuf, String)]) -> anyhow::Result<()> {
    for (path, text) in files {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).with_context(|| format!("failed to create {}", folder.display()))?;
        }
        fs::write(path, text).with_context(|| format!("failed to write {}", path.display()))?;
    }
    Ok(())
}

fn is_current(path: &Path, text: &str) -> bool {
    fs::read_to_string(path).is_ok_and(|found| found == text)
}
