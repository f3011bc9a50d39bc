//! Replays what fuzzing started from and what it has found: every committed input, through the body of its target.

#[cfg(test)]
mod replay {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::{Path, PathBuf};

    use holdfast_vrrp::fuzz::TARGETS;

    fn corpus() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus")
    }

    fn entries(folder: &Path) -> Vec<PathBuf> {
        let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let mut entries: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        entries.sort();
        entries
    }

    fn name(path: &Path) -> String {
        path.file_name().unwrap().to_string_lossy().into_owned()
    }

    #[test]
    fn every_input_of_every_target_keeps_the_rules() {
        for (target, body) in TARGETS {
            let inputs = entries(&corpus().join(target));
            assert!(!inputs.is_empty(), "the corpus of {target} is empty");
            for input in inputs {
                let bytes = fs::read(&input).unwrap();
                let result = std::panic::catch_unwind(|| body(&bytes));
                assert!(result.is_ok(), "{target}: {} breaks a rule, see above", name(&input));
            }
        }
    }

    #[test]
    fn every_target_has_a_corpus_and_every_corpus_a_target() {
        let folders: BTreeSet<_> = entries(&corpus()).iter().map(|folder| name(folder)).collect();
        let targets: BTreeSet<_> = TARGETS.iter().map(|(target, _)| (*target).to_owned()).collect();

        assert_eq!(folders, targets);
    }

    #[test]
    fn every_target_has_a_binary_of_its_name() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/fuzz_targets");
        let binaries: BTreeSet<_> = entries(&folder).iter().map(|path| name(path)).collect();
        let targets: BTreeSet<_> = TARGETS.iter().map(|(target, _)| format!("{target}.rs")).collect();

        assert_eq!(binaries, targets);
    }
}
