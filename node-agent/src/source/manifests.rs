//! What counts of a folder: a file counts as a whole. If anything is wrong with it, the objects that it held before stay.
//!
//! Of these objects, those are in force that the plan has accepted, each in the last version that was accepted. Both are
//! saved for the next run.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use holdfast_crds::Manifest;
use holdfast_plan::InForce;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tracing::warn;

use super::document::{Key, Object, parse_file, parse_value};
use super::problem::Problem;

/// The text of each file of a folder, or why it could not be read. Texts are shared: there are several views of a folder.
pub(super) type Files = BTreeMap<String, Result<Arc<str>, String>>;

/// The last good objects of each file, and what is in force of them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Manifests {
    files: BTreeMap<String, Vec<Object>>,
    in_force: InForce,
}

/// The form in which they are saved, and in which they rest: JSON, a tenth of what the objects take. Between two changes of
/// a folder nobody looks at them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackedManifests(Vec<u8>);

/// What was packed, as data.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct SavedManifests {
    files: BTreeMap<String, Vec<Value>>,
    in_force: Vec<Value>,
}

#[derive(Serialize)]
struct Packing<'a> {
    files: &'a BTreeMap<String, Vec<Object>>,
    in_force: Vec<Kept>,
}

/// An object that is in force.
#[derive(Serialize)]
#[serde(untagged)]
enum Kept {
    /// As its file has it: nearly all.
    AsFiled(Key),
    Otherwise(Object),
}

impl Manifests {
    /// What was saved, as far as it is still valid: an agent of another version may have other rules.
    pub fn load(saved: SavedManifests) -> Self {
        Self::read(saved, parse_saved)
    }

    fn read(saved: SavedManifests, parse: impl Fn(&str, Value) -> Option<Object>) -> Self {
        let objects = |file: &str, values: Vec<Value>| -> Vec<Object> {
            values.into_iter().filter_map(|value| parse(file, value)).collect()
        };
        let files = saved.files.into_iter().map(|(file, values)| (objects(&file, values), file));
        let files = files.filter(|(objects, _)| !objects.is_empty());
        let files: BTreeMap<_, _> = files.map(|(objects, file)| (file, objects)).collect();
        let originals = by_key(&files);
        let mut in_force = InForce::default();
        for value in saved.in_force {
            let object = match value {
                Value::String(key) => originals.get(&key).map(|object| (*object).clone()),
                value => parse("in force", value),
            };
            match object {
                Some(Object::Holdfast(Manifest::VirtualIP(vip))) => in_force.virtual_ips.push(*vip),
                Some(Object::Holdfast(Manifest::HealthCheck(check))) => in_force.health_checks.push(*check),
                Some(Object::Holdfast(Manifest::VirtualIPGroup(group))) => in_force.groups.push(*group),
                Some(Object::Node(node)) => in_force.nodes.push(*node),
                None => {}
            }
        }
        Self { files, in_force }
    }

    /// What to save, and to keep until the next change.
    pub fn pack(&self) -> PackedManifests {
        let originals = by_key(&self.files);
        let kept = |object: Object| {
            let key = object.key();
            if originals.get(&key) == Some(&&object) { Kept::AsFiled(key) } else { Kept::Otherwise(object) }
        };
        let packing = Packing { files: &self.files, in_force: self.objects_in_force().map(kept).collect() };
        // Objects of these types are data through and through: none fails.
        let mut json = serde_json::to_vec(&packing).unwrap_or_default();
        json.shrink_to_fit();
        PackedManifests(json)
    }

    fn objects_in_force(&self) -> impl Iterator<Item = Object> + '_ {
        let InForce { virtual_ips, health_checks, groups, nodes } = &self.in_force;
        let virtual_ips = virtual_ips.iter().map(|vip| Manifest::VirtualIP(Box::new(vip.clone())));
        let health_checks = health_checks.iter().map(|check| Manifest::HealthCheck(Box::new(check.clone())));
        let groups = groups.iter().map(|group| Manifest::VirtualIPGroup(Box::new(group.clone())));
        let nodes = nodes.iter().map(|node| Object::Node(Box::new(node.clone())));
        virtual_ips.chain(health_checks).chain(groups).map(Object::Holdfast).chain(nodes)
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
        self.files.iter().flat_map(|(file, objects)| objects.iter().map(|object| (file.as_str(), object)))
    }

    /// The files, as if they were in a folder.
    pub(super) fn as_files(&self) -> Files {
        // Whatever is JSON is YAML.
        let json = |object: &Object| serde_json::to_string(object).unwrap_or_default();
        let text = |objects: &[Object]| objects.iter().map(json).collect::<Vec<_>>().join("\n---\n").into();
        self.files.iter().map(|(file, objects)| (file.clone(), Ok(text(objects)))).collect()
    }

    /// Whether everything that `file` held is in other files by now.
    pub(super) fn has_moved(&self, file: &str, found: &Files) -> bool {
        let elsewhere: BTreeSet<Key> = found
            .iter()
            .filter(|(other, _)| *other != file)
            .filter_map(|(other, text)| parse_file(other, text.as_ref().ok()?).ok())
            .flatten()
            .map(|object| object.key())
            .collect();
        let held = self.files.get(file).into_iter().flatten();
        held.into_iter().all(|object| elsewhere.contains(&object.key()))
    }

    /// Takes in what is in the folder now, and returns everything that is wrong with it.
    pub fn update(&mut self, files: &Files) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut fresh = BTreeMap::new();
        for (file, text) in files {
            match text {
                Ok(text) => match parse_file(file, text) {
                    Ok(objects) => {
                        fresh.insert(file.clone(), objects);
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
    fn refuse_duplicates(&self, fresh: &mut BTreeMap<String, Vec<Object>>, files: &Files) -> Vec<Problem> {
        let mut problems = Vec::new();
        loop {
            let Some(problem) = self.find_duplicate(fresh, files) else { return problems };
            if let Some(file) = &problem.file {
                fresh.remove(file);
            }
            problems.push(problem);
        }
    }

    fn find_duplicate(&self, fresh: &BTreeMap<String, Vec<Object>>, files: &Files) -> Option<Problem> {
        let mut owners: BTreeMap<Key, &str> = BTreeMap::new();
        // What stays in force because its file is bad now cannot be taken over by another file.
        let kept = self.files.iter().filter(|(file, _)| files.contains_key(*file) && !fresh.contains_key(*file));
        for (file, objects) in kept {
            owners.extend(objects.iter().map(|object| (object.key(), file.as_str())));
        }
        let had_it = |file: &str, key: &Key| {
            self.files.get(file).is_some_and(|objects| objects.iter().any(|object| object.key() == *key))
        };
        // First the files that had their objects before, then the newcomers.
        for newcomers in [false, true] {
            for (file, objects) in fresh {
                let mut own = BTreeSet::new();
                for key in objects.iter().map(Object::key) {
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

impl PackedManifests {
    /// As it is written to disk.
    pub fn as_json(&self) -> &[u8] {
        &self.0
    }

    /// What was packed.
    pub fn unpack(&self) -> Manifests {
        // It was written from such objects by this process: nothing is lost.
        let saved = serde_json::from_slice(&self.0).unwrap_or_default();
        Manifests::read(saved, |_, value| Object::restore(value))
    }
}

fn by_key(files: &BTreeMap<String, Vec<Object>>) -> BTreeMap<Key, &Object> {
    files.values().flatten().map(|object| (object.key(), object)).collect()
}

/// An object that is valid; another is told, and left out.
fn parse_saved(file: &str, value: Value) -> Option<Object> {
    parse_value(file, value).map_err(tell_outdated).ok()
}

fn tell_outdated(problems: Vec<Problem>) {
    for problem in problems {
        warn!(event = "saved-manifest-problem", "what an earlier run has saved is not valid any more: {problem}");
    }
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
        list.iter().map(|(file, text)| ((*file).to_owned(), Ok((*text).into()))).collect()
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

    fn saved(packed: &PackedManifests) -> SavedManifests {
        serde_json::from_slice(packed.as_json()).expect("JSON")
    }

    #[test]
    fn what_is_in_force_is_packed_once_if_its_file_still_has_it() {
        let mut manifests = planned();
        let kept =
            |manifests: &Manifests| saved(&manifests.pack()).in_force.iter().filter(|kept| kept.is_object()).count();
        assert_eq!(kept(&manifests), 0);
        manifests.in_force.virtual_ips[0].spec.priority = Some(7);
        assert_eq!(kept(&manifests), 1);
        assert_eq!(manifests.pack().unpack(), manifests);
    }

    #[test]
    fn what_is_saved_comes_back_with_what_is_in_force() {
        let manifests = planned();
        let packed = manifests.pack();
        assert_eq!(packed.unpack(), manifests);
        let loaded = Manifests::load(saved(&packed));
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
        assert_eq!(again.files, manifests.files);
    }

    #[test]
    fn saved_documents_that_are_not_valid_any_more_do_not_take_the_others_along() {
        let mut manifests = Manifests::default();
        manifests.update(&files(&[("a.yaml", &format!("{}---\n{}", vip("a", "192.0.2.1"), vip("b", "192.0.2.2")))]));
        let mut saved = saved(&manifests.pack());
        for values in saved.files.values_mut() {
            values[0]["spec"]["colour"] = "red".into();
        }
        saved.in_force = vec![serde_json::json!({"kind": "Unknown"})];
        let loaded = Manifests::load(saved);
        assert_eq!(in_force(&loaded), ["a.yaml:VirtualIP/b"]);
        assert_eq!(*loaded.in_force(), InForce::default());
    }
}
