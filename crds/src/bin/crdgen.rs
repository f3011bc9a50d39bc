//! Writes the custom resource definitions: `crdgen [--check] [DIR]`, by default into `crds/yaml`.
//!
//! With `--check` it writes nothing and fails if the files are not what it would write.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use holdfast_crds::definition;

const DEFAULT_FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/yaml");
const USAGE: &str = "usage: crdgen [--check] [DIR]";

fn main() -> anyhow::Result<ExitCode> {
    let (check, folder) = parse_arguments(std::env::args().skip(1))?;
    let files = generate(&folder)?;
    if !check {
        write_all(&folder, &files)?;
        return Ok(ExitCode::SUCCESS);
    }
    let stale: Vec<_> = files.iter().filter(|(path, text)| !is_current(path, text)).collect();
    for (path, _) in &stale {
        eprintln!("{} is not what the types say: run `cargo run -p holdfast-crds --bin crdgen`", path.display());
    }
    Ok(if stale.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn parse_arguments(arguments: impl Iterator<Item = String>) -> anyhow::Result<(bool, PathBuf)> {
    let (mut check, mut folder) = (false, None);
    for argument in arguments {
        match argument.as_str() {
            "--check" => check = true,
            option if option.starts_with('-') => bail!("unknown option {option}\n{USAGE}"),
            _ if folder.is_some() => bail!("more than one folder given\n{USAGE}"),
            path => folder = Some(PathBuf::from(path)),
        }
    }
    Ok((check, folder.unwrap_or_else(|| PathBuf::from(DEFAULT_FOLDER))))
}

/// The path and the text of each file.
fn generate(folder: &Path) -> anyhow::Result<Vec<(PathBuf, String)>> {
    definition::all()
        .iter()
        .map(|definition| {
            let path = folder.join(format!("{}.yaml", definition.spec.names.plural));
            Ok((path, definition::to_yaml(definition)?))
        })
        .collect()
}

fn write_all(folder: &Path, files: &[(PathBuf, String)]) -> anyhow::Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("failed to create {}", folder.display()))?;
    for (path, text) in files {
        fs::write(path, text).with_context(|| format!("failed to write {}", path.display()))?;
    }
    Ok(())
}

fn is_current(path: &Path, text: &str) -> bool {
    fs::read_to_string(path).is_ok_and(|found| found == text)
}
