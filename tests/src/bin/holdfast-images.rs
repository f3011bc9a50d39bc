//! `holdfast-images`: packs static binaries into OCI images. `make images` builds them first.

use std::path::PathBuf;

use anyhow::Result;
use clap::Parser;
use holdfast_tests::images::{IMAGES, Provenance, pack};

/// Packs static binaries into OCI images: one tar archive each.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The folder with the binaries.
    binaries: PathBuf,
    /// The folder for the archives.
    output: PathBuf,
    /// The commit that they were built from.
    #[arg(long)]
    revision: Option<String>,
    /// The time of that commit, in seconds since 1970.
    #[arg(long, default_value_t = 0)]
    created: i64,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let provenance = Provenance {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        revision: arguments.revision,
        created: arguments.created,
    };
    for image in &IMAGES {
        let written = pack(image, &arguments.binaries, &arguments.output, &provenance)?;
        println!("\n{}", written.name);
        println!("  digest   {}", written.digest);
        println!("  program  {}", mebibytes(written.program_size));
        println!("  download {}", mebibytes(written.download_size));
        println!("  user     {}", image.user);
        println!("  archive  {}", written.archive.display());
    }
    Ok(())
}

fn mebibytes(bytes: u64) -> String {
    let tenths = bytes.saturating_mul(10) / (1024 * 1024);
    format!("{}.{} MiB", tenths / 10, tenths % 10)
}
