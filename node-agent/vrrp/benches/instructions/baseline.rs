//! The committed figures: a line for each case, in a file for each architecture.

use std::env::consts::ARCH;
use std::error::Error;
use std::fmt::Write;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::Figures;

const HEAD: &str = "\
# Instructions of one run of each case. Written by `make instructions-baseline`, compared by `make instructions`.
# Another compiler makes other instructions of the same core: write it anew with a new toolchain, in a commit of its own.
";

pub(crate) fn read() -> Result<Figures, Box<dyn Error>> {
    let path = path();
    let text = fs::read_to_string(&path).map_err(|error| {
        format!(
            "{}: {error}\nThere is a baseline for each architecture; `make instructions-baseline` writes this one.",
            path.display()
        )
    })?;
    text.lines().filter(|line| !line.starts_with('#')).map(read_line).collect()
}

fn read_line(line: &str) -> Result<(String, u64), Box<dyn Error>> {
    let (name, figure) = line.split_once(' ').ok_or_else(|| format!("not a name and a figure: {line}"))?;
    Ok((name.to_owned(), figure.trim().parse()?))
}

pub(crate) fn write(figures: &Figures) -> Result<(), Box<dyn Error>> {
    let mut text = format!("{HEAD}# {}, {ARCH}\n", compiler()?);
    for (name, figure) in figures {
        writeln!(text, "{name:<52} {figure:>9}")?;
    }
    fs::write(path(), &text)?;
    print!("{text}");
    Ok(())
}

fn path() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "benches", "instructions", &format!("{ARCH}.txt")].iter().collect()
}

fn compiler() -> Result<String, Box<dyn Error>> {
    let output = Command::new("rustc").arg("--version").output()?;
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}
