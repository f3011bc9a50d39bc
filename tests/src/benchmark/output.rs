//! Where the report is written.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::report::{self, Findings, Illustration};

/// The files to write; the plots lie in a folder beside the page that has its name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// The page.
    pub markdown: Option<PathBuf>,
    /// The samples.
    pub json: Option<PathBuf>,
}

/// Writes what is asked for.
pub fn write(findings: &Findings, output: &Output) -> Result<()> {
    if let Some(path) = &output.markdown {
        let illustrations = write_pictures(findings, path)?;
        write_file(path, &report::markdown(findings, report::METHOD, &illustrations))?;
    }
    if let Some(path) = &output.json {
        write_file(path, &format!("{:#}\n", report::json(findings)))?;
    }
    Ok(())
}

fn write_pictures(findings: &Findings, page: &Path) -> Result<Vec<Illustration>> {
    let folder = page.with_extension("");
    let name = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let mut illustrations = Vec::new();
    for picture in report::pictures(&findings.rows) {
        write_file(&folder.join(picture.file), &picture.svg)?;
        illustrations.push(Illustration { title: picture.title.to_owned(), path: format!("{name}/{}", picture.file) });
    }
    Ok(illustrations)
}

fn write_file(path: &Path, text: &str) -> Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}
