//! What counts of a folder: a file counts as a whole. If anything is wrong with it, the objects that it held before stay.
//!
//! Of these objects, those are in force that the plan has accepted, each in the last version that was accepted. Both are
//! saved for the next run.

use std::collections::{BTreeMap, BTreeSet};

use holdfast_crds::Manifest;
use holdfast_plan::InForce;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tracing::warn;

use super::document::{Document, Key, Object, parse_file, parse_value};
use super::problem::Problem;

/// The text of each file of a folder, or why it could not be read.
pub(super) type Files = BTreeMap<String, Result<String, String>>;

/// The last good documents of each file, and what is in force of them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Manifests {
    files: BTreeMap<String, Vec<Document>>,
    in_force: InForce,
}

/// The form in which they are saved: documents, to which the rules are applied again when they are loaded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedManifests {
    files: BTreeMap<String, Vec<Value>>,
    in_force: Vec<Value>,
}

impl Manifests {
    /// What was saved, as far as it is still valid: an agent of another version may have other rules.
    pub fn load(saved: SavedManifests) -> Self {
        let files = saved.files.into_iter().map(|(file, values)| (load_documents(&file, values), file));
        let files = files.filter(|(documents, _)| !documents.is_empty());
        let mut in_force = InForce::default();
        for document in load_documents("in force", saved.in_force) {
            match document.object {
                Object::Holdfast(Manifest::VirtualIP(vip)) => in_force.virtual_ips.push(*vip),
                Object::Holdfast(Manifest::HealthCheck(check)) => in_force.health_checks.push(*check),
                Object::Holdfast(Manifest::VirtualIPGroup(group)) => in_force.groups.push(*group),
                Object::Node(node) => in_force.nodes.push(*node),
            }
        }
        Self { files: files.map(|(documents, file)| (file, documents)).collect(), in_force }
    }

    /// What to save.
    pub fn save(&self) -> SavedManifests {
        let values = |documents: &Vec<Document>| documents.iter().map(|document| document.value.clone()).collect();
        let InForce { virtual_ips, health_checks, groups, nodes } = &self.in_force;
        // Objects of these types are data through and through: none fails.
        let in_force = (virtual_ips.iter().map(serde_json::to_value))
            .chain(health_checks.iter().map(serde_json::to_value))
            .chain(groups.iter().map(serde_json::to_value))
            .chain(nodes.iter().map(serde_json::to_value));
        SavedManifests {
            files: self.files.iter().map(|(file, documents)| (file.clone(), values(documents))).collect(),
            in_force: in_force.filter_map(Result::ok).collect(),
        }
    }

    /// What this agent goes by: each object in the last version that the plan accepted.
    pub fn in_force(&self) -> &InForce {
        &self.in_force
    }

    /// Takes in what the plan made of the objects.
    pub(super) fn set_in_force(&mut self, in_force: InForce) {
        self.in_force = in_force;
    }

    /// Every object of the last good documents, with the name of its file.
    pub fn objects(&self) -> impl Iterator<Item = (&str, &Object)> + Clone {
        self.files
            .iter()
            .flat_map(|(file, documents)| documents.iter().map(|document| (file.as_str(), &document.object)))
    }

    /// The files, as if they were in a folder.
    pub(super) fn as_files(&self) -> Files {
        let text = |documents: &[Document]| {
            // Whatever is JSON is YAML.
            documents.iter().map(|document| document.value.to_string()).collect::<Vec<_>>().join("\n---\n")
        };
        self.files.iter().map(|(file, documents)| (file.clone(), Ok(text(documents)))).collect()
    }

    /// Whether everything that `file` held is in other files by now.
    pub(super) fn has_moved(&self, file: &str, found: &Files) -> bool {
        let elsewhere: BTreeSet<Key> = found
            .iter()
            .filter(|(other, _)| *other != file)
            .filter_map(|(other, text)| parse_file(other, text.as_ref().ok()?).ok())
            .flatten()
            .map(|document| document.object.key())
            .collect();
        let held = self.files.get(file).into_iter().flatten();
        held.into_iter().all(|document| elsewhere.contains(&document.object.key()))
    }

    /// Takes in what is in the folder now, and returns everything that is wrong with it.
    pub fn update(&mut self, files: &Files) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut fresh = BTreeMap::new();
        for (file, text) in files {
            match text {
                Ok(text) => match parse_file(file, text) {
                    Ok(documents) => {
                        fresh.insert(file.clone(), documents);
                    }
                    Err(found) => problems.extend(found),
                },
                Err(error) => problems.push(Problem::of_file(file, format!("cannot be read: {error}"))),
            }
        }
        problems.extend(self.refuse_duplicates(&mut fresh, files));
        self.files.retain(|file, _| files.contains_key(file));
        self.files.extend(fresh);
        problems
    }

    /// Refuses files that name an object of another file, or one object twice. Whoever had the object before keeps it.
    fn refuse_duplicates(&self, fresh: &mut BTreeMap<String, Vec<Document>>, files: &Files) -> Vec<Problem> {
        let mut problems = Vec::new();
        loop {
            let Some(problem) = self.find_duplicate(fresh, files) else { return problems };
            if let Some(file) = &problem.file {
                fresh.remove(file);
            }
            problems.push(problem);
        }
    }

    fn find_duplicate(&self, fresh: &BTreeMap<String, Vec<Document>>, files: &Files) -> Option<Problem> {
        let mut owners: BTreeMap<Key, &str> = BTreeMap::new();
        // What stays in force because its file is bad now cannot be taken over by another file.
        let kept = self.files.iter().filter(|(file, _)| files.contains_key(*file) && !fresh.contains_key(*file));
        for (file, documents) in kept {
            owners.extend(documents.iter().map(|document| (document.object.key(), file.as_str())));
        }
        let had_it = |file: &str, key: &Key| {
            self.files.get(file).is_some_and(|documents| documents.iter().any(|document| document.object.key() == *key))
        };
        // First the files that had their objects before, then the newcomers.
        for newcomers in [false, true] {
            for (file, documents) in fresh {
                let mut own = BTreeSet::new();
                for key in documents.iter().map(|document| document.object.key()) {
                    if !own.insert(key.clone()) {
                        return Some(Problem::of_object(file, key, "appears twice in this file: remove one"));
                    }
                    if had_it(file, &key) == newcomers {
                        continue;
                    }
                    if let Some(owner) = owners.insert(key.clone(), file).filter(|owner| *owner != file) {
                        let message = format!("is in {owner} too: remove it from one of the files");
                        return Some(Problem::of_object(file, key, message));
                    }
                }
            }
        }
        None
    }
}

/// The documents that are valid; the others are told, and left out.
fn load_documents(file: &str, values: Vec<Value>) -> Vec<Document> {
    let mut documents = Vec::new();
    for value in values {
        match parse_value(file, value) {
            Ok(document) => documents.push(document),
            Err(problems) => {
                for problem in problems {
                    warn!(
                        event = "saved-manifest-problem",
                        "what an earlier run has saved is not valid any more: {problem}"
                    );
                }
            }
        }
    }
    documents
}

#[cfg(test)]
mod tests {
    use super::super::compile::{NodeIdentity, compile};
    use super::*;

    fn vip(name: &str, address: &str) -> String {
        format!(
            "apiVersion: holdfast.dev/v1alpha1\nkind: VirtualIP\nmetadata: {{name: {name}}}\nspec: {{addresses: [{address}]}}\n"
        )
    }

    fn files(list: &[(&str, &str)]) -> Files {
        list.iter().map(|(file, text)| ((*file).to_owned(), Ok((*text).to_owned()))).collect()
    }

    fn in_force(manifests: &Manifests) -> Vec<String> {
        manifests.objects().map(|(file, object)| format!("{file}:{}", object.key())).collect()
    }

    #[test]
    fn a_broken_file_keeps_its_last_good_objects_and_hinders_no_other() {
        let mut manifests = Manifests::default();
        assert!(manifests.update(&files(&[("a.yaml", &vip("a", "192.0.2.1"))])).is_empty());
        let problems = manifests.update(&files(&[("a.yaml", "kind: ["), ("b.yaml", &vip("b", "192.0.2.2"))]));
        assert_eq!(problems.len(), 1);
        assert_eq!(in_force(&manifests), ["a.yaml:VirtualIP/a", "b.yaml:VirtualIP/b"]);
    }

    #[test]
    fn one_bad_object_keeps_the_whole_file_as_it_was() {
        let mut manifests = Manifests::default();
        manifests.update(&files(&[("a.yaml", &vip("a", "192.0.2.1"))]));
        let both = format!("{}---\n{}", vip("new", "192.0.2.2"), vip("bad", "nonsense"));
        assert!(!manifests.update(&files(&[("a.yaml", &both)])).is_empty());
        assert_eq!(in_force(&manifests), ["a.yaml:VirtualIP/a"]);
    }

    #[test]
    fn a_file_that_is_gone_takes_its_objects_along() {
        let mut manifests = Manifests::default();
        manifests.update(&files(&[("a.yaml", &vip("a", "192.0.2.1"))]));
        assert!(manifests.update(&files(&[])).is_empty());
        assert!(in_force(&manifests).is_empty());
    }

    #[test]
    fn an_object_stays_with_the_file_that_had_it_first() {
        let mut manifests = Manifests::default();
        manifests.update(&files(&[("b.yaml", &vip("web", "192.0.2.1"))]));
        let problems =
            manifests.update(&files(&[("a.yaml", &vip("web", "192.0.2.2")), ("b.yaml", &vip("web", "192.0.2.1"))]));
        assert_eq!(problems.len(), 1);
        assert_eq!(problems[0].to_string(), "a.yaml: VirtualIP/web: is in b.yaml too: remove it from one of the files");
        assert_eq!(in_force(&manifests), ["b.yaml:VirtualIP/web"]);
    }

    #[test]
    fn an_object_may_move_from_one_file_to_another_in_one_step() {
        let mut manifests = Manifests::default();
        manifests.update(&files(&[("b.yaml", &vip("web", "192.0.2.1"))]));
        let problems = manifests.update(&files(&[("a.yaml", &vip("web", "192.0.2.1")), ("b.yaml", "")]));
        assert!(problems.is_empty(), "{problems:?}");
        assert_eq!(in_force(&manifests), ["a.yaml:VirtualIP/web"]);
    }

    #[test]
    fn an_object_that_a_broken_file_still_holds_cannot_be_taken_over() {
        let mut manifests = Manifests::default();
        manifests.update(&files(&[("b.yaml", &vip("web", "192.0.2.1"))]));
        let problems = manifests.update(&files(&[("a.yaml", &vip("web", "192.0.2.9")), ("b.yaml", "kind: [")]));
        assert_eq!(problems.len(), 2);
        assert_eq!(in_force(&manifests), ["b.yaml:VirtualIP/web"]);
    }

    #[test]
    fn an_object_twice_in_one_file_is_refused() {
        let mut manifests = Manifests::default();
        let twice = format!("{}---\n{}", vip("web", "192.0.2.1"), vip("web", "192.0.2.2"));
        let problems = manifests.update(&files(&[("a.yaml", &twice)]));
        assert_eq!(problems.len(), 1);
        assert!(in_force(&manifests).is_empty());
    }

    #[test]
    fn what_has_moved_to_other_files_is_known() {
        let mut manifests = Manifests::default();
        let (a, b) = (vip("a", "192.0.2.1"), vip("b", "192.0.2.2"));
        manifests.update(&files(&[("both.yaml", &format!("{a}---\n{b}"))]));
        assert!(manifests.has_moved("both.yaml", &files(&[("a.yaml", &a), ("b.yaml", &b)])));
        assert!(!manifests.has_moved("both.yaml", &files(&[("a.yaml", &a)])));
    }

    /// One object of each kind, all of them in force.
    fn planned() -> Manifests {
        let check = "apiVersion: holdfast.dev/v1alpha1\nkind: HealthCheck\nmetadata: {name: page}\n\
                     spec: {http: {port: 80, path: /health, headers: [{name: X-Text, value: \"a: \\\"b\\\" #\"}]}}\n";
        let group = "apiVersion: holdfast.dev/v1alpha1\nkind: VirtualIPGroup\nmetadata: {name: all}\n\
                     spec: {members: [a, b], healthChecks: [{name: page}]}\n";
        let node = "apiVersion: v1\nkind: Node\nmetadata: {name: node-n, labels: {edge: \"yes\"}}\n\
                    status: {addresses: [{type: InternalIP, address: 192.0.2.9}]}\n";
        let text = [&vip("a", "192.0.2.1"), &vip("b", "\"2001:db8::1/64\""), check, group, node].join("---\n");
        let mut manifests = Manifests::default();
        assert_eq!(manifests.update(&files(&[("all.yaml", &text)])), []);
        let identity = NodeIdentity { name: "node-n".to_owned(), labels: BTreeMap::new() };
        let compiled = compile(manifests.objects(), &identity, manifests.in_force());
        assert_eq!(compiled.problems, []);
        manifests.set_in_force(compiled.in_force);
        manifests
    }

    #[test]
    fn what_is_saved_comes_back_with_what_is_in_force() {
        let manifests = planned();
        let text = serde_json::to_string(&manifests.save()).expect("JSON");
        let saved: SavedManifests = serde_json::from_str(&text).expect("JSON");
        let loaded = Manifests::load(saved);
        assert_eq!(loaded, manifests);
        let in_force = loaded.in_force();
        let counts =
            [in_force.virtual_ips.len(), in_force.health_checks.len(), in_force.groups.len(), in_force.nodes.len()];
        assert_eq!(counts, [2, 1, 1, 1]);
    }

    #[test]
    fn the_files_of_an_earlier_run_read_like_files() {
        let manifests = planned();
        let mut again = Manifests::default();
        assert_eq!(again.update(&manifests.as_files()), []);
        assert_eq!(again.save().files, manifests.save().files);
    }

    #[test]
    fn saved_documents_that_are_not_valid_any_more_do_not_take_the_others_along() {
        let mut manifests = Manifests::default();
        manifests.update(&files(&[("a.yaml", &format!("{}---\n{}", vip("a", "192.0.2.1"), vip("b", "192.0.2.2")))]));
        let mut saved = manifests.save();
        for values in saved.files.values_mut() {
            values[0]["spec"]["colour"] = "red".into();
        }
        saved.in_force = vec![serde_json::json!({"kind": "Unknown"})];
        let loaded = Manifests::load(saved);
        assert_eq!(in_force(&loaded), ["a.yaml:VirtualIP/b"]);
        assert_eq!(*loaded.in_force(), InForce::default());
    }
}
