//! quick
use holdfast_vrrp::sim::*;
fn main() {
    let args: Vec<String> = std::env::args().collect();
    let get = |k: &str| args.iter().position(|a| a == k).and_then(|i| args.get(i + 1).cloned());
    if let Some(seed) = get("--seed") {
        let seed: u64 = seed.parse().unwrap_or(0);
        let script = Script::of_seed(seed);
        println!("{script}");
        let out = script.play_with(None, Log::with_lines());
        for l in out.log.lines() {
            println!("{l}");
        }
        println!("{:?}", out.failure);
        return;
    }
    let n: u64 = get("--n").and_then(|n| n.parse().ok()).unwrap_or(1000);
    let start = std::time::Instant::now();
    let mut probes = Probes::default();
    let mut fails = std::collections::BTreeMap::new();
    let mut happ = 0;
    for seed in 0..n {
        let out = Script::of_seed(seed).play_with(get("--mutant").and_then(|m| Mutant::named(&m)), Log::default());
        probes.add(&out.probes);
        happ += out.happenings;
        if get("--mutant").is_some() && out.failure.is_some() {
            println!(
                "caught by seed {seed}: {:?}",
                out.failure.map(|f| f.broken.to_string().chars().take(150).collect::<String>())
            );
            return;
        }
        if let Some(f) = out.failure {
            let e = fails.entry(format!("{:?}", f.broken.rule)).or_insert((0, seed, f.broken.how.clone()));
            e.0 += 1;
        }
    }
    println!("{n} seeds {:?}, {happ} happenings", start.elapsed());
    for (k, v) in fails {
        println!("{k}: {} first seed {}: {}", v.0, v.1, v.2);
    }
    let mut all: Vec<_> = Probe::required().map(|p| (probes.count(p), p.to_string())).collect();
    all.sort();
    for (c, p) in all.iter().take(60) {
        println!("COUNT {c} {p}");
    }
    for m in probes.missing() {
        println!("missing {m}");
    }
}
