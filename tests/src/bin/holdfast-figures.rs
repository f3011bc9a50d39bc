//! `make figures`: measures what Holdfast costs a cluster, and prints a table in Markdown.

use anyhow::Result;
use clap::{Parser, ValueEnum};
use holdfast_tests::figures::{self, Subject};

/// Measures the plan, the operator with many VirtualIPs, and a failover of 250. Needs root, and the built Kubernetes.
#[derive(Debug, Parser)]
struct Arguments {
    /// What to measure; without it, everything.
    only: Vec<What>,
    /// How many VirtualIPs there are, of which one changes.
    #[arg(long, default_value_t = 2_000)]
    virtual_ips: usize,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum What {
    /// `plan()` alone.
    Plan,
    /// One change among many VirtualIPs.
    Change,
    /// Idleness, and a failover of 250 VirtualIPs.
    Failover,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let all = [What::Plan, What::Change, What::Failover];
    let wanted = if arguments.only.is_empty() { &all[..] } else { &arguments.only };
    let mut measured = Vec::new();
    for what in wanted {
        let subject = match what {
            What::Plan => Subject::Plan,
            What::Change => Subject::Change(arguments.virtual_ips),
            What::Failover => Subject::Failover,
        };
        measured.extend(figures::measure(subject).await?);
    }
    let profile = if cfg!(debug_assertions) { "development profile" } else { "release profile" };
    let processors = std::thread::available_parallelism()?;
    println!("{profile}, {processors} processors\n\n{}", figures::table(&measured));
    Ok(())
}
