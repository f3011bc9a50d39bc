//! The generated definitions: current on disk, as an API server wants them, with the columns that people look at.

use std::fs;
use std::path::Path;

use holdfast_crds::{HealthCheckSpec, definition, probe};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};

fn schema(definition: &CustomResourceDefinition) -> &JSONSchemaProps {
    definition.spec.versions[0].schema.as_ref().unwrap().open_api_v3_schema.as_ref().unwrap()
}

/// Calls `visit` with every schema of every definition and its path.
fn for_each_schema(mut visit: impl FnMut(&str, &JSONSchemaProps)) {
    for definition in &definition::all() {
        walk(&definition.spec.names.kind, schema(definition), &mut visit);
    }
}

fn walk(path: &str, schema: &JSONSchemaProps, visit: &mut impl FnMut(&str, &JSONSchemaProps)) {
    visit(path, schema);
    for (name, property) in schema.properties.iter().flatten() {
        walk(&format!("{path}.{name}"), property, visit);
    }
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = &schema.items {
        walk(&format!("{path}[]"), items, visit);
    }
    if let Some(JSONSchemaPropsOrBool::Schema(values)) = &schema.additional_properties {
        walk(&format!("{path}.*"), values, visit);
    }
}

#[test]
fn the_files_on_disk_are_current() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("yaml");
    for definition in definition::all() {
        let path = folder.join(format!("{}.yaml", definition.spec.names.plural));
        let found = fs::read_to_string(&path).unwrap();
        assert!(
            found == definition::to_yaml(&definition).unwrap(),
            "{} is stale: run `cargo run -p holdfast-crds --bin crdgen`",
            path.display()
        );
    }
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 4, "a file too many in {}", folder.display());
}

#[test]
fn a_written_definition_reads_back_as_the_same() {
    for definition in definition::all() {
        let text = definition::to_yaml(&definition).unwrap();
        let read: CustomResourceDefinition = serde_saphyr::from_str(&text).unwrap();
        assert_eq!(read, definition);
    }
}

#[test]
fn names_are_those_that_people_type() {
    let names: Vec<_> = definition::all()
        .iter()
        .map(|definition| {
            let names = &definition.spec.names;
            assert_eq!(definition.spec.scope, "Cluster");
            assert_eq!(names.categories.as_deref(), Some(&["holdfast".to_owned()][..]));
            assert!(definition.spec.versions[0].subresources.as_ref().unwrap().status.is_some());
            (names.kind.clone(), names.plural.clone(), names.short_names.clone().unwrap().join(","))
        })
        .collect();
    let expected = [
        ("VirtualIP", "virtualips", "vip"),
        ("HealthCheck", "healthchecks", "vhc"),
        ("VirtualIPGroup", "virtualipgroups", "vipgroup"),
        ("NodeConfig", "nodeconfigs", "vipnode"),
    ];
    assert_eq!(names, expected.map(|(kind, plural, short)| (kind.to_owned(), plural.to_owned(), short.to_owned())));
}

#[test]
fn columns_show_what_people_look_for() {
    let columns = |definition: CustomResourceDefinition, wide: bool| -> String {
        let columns = definition.spec.versions[0].additional_printer_columns.clone().unwrap();
        let shown = columns.iter().filter(|column| (column.priority == Some(1)) == wide);
        shown.map(|column| column.name.clone()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(columns(definition::virtual_ip(), false), "ADDRESSES MASTER READY BACKUPS SINCE AGE");
    assert_eq!(columns(definition::virtual_ip(), true), "VRID INTERFACE PRIORITY TRANSITIONS REASON");
    assert_eq!(columns(definition::health_check(), false), "TYPE PASSING INTERVAL AGE");
    assert_eq!(columns(definition::virtual_ip_group(), false), "MEMBERS MASTER READY AGE");
    assert_eq!(columns(definition::node_config(), false), "MASTER BACKUP FAULT VERSION AGE");
}

#[test]
fn every_column_shows_a_field_that_exists() {
    for definition in definition::all() {
        for column in definition.spec.versions[0].additional_printer_columns.iter().flatten() {
            if column.json_path.starts_with(".metadata.") || column.json_path.starts_with(".status.conditions[") {
                continue;
            }
            let mut fields = column.json_path.split('.').skip(1);
            let found = fields.try_fold(schema(&definition), |schema, name| schema.properties.as_ref()?.get(name));
            assert!(found.is_some(), "{}: {}", definition.spec.names.kind, column.json_path);
        }
    }
}

#[test]
fn schemas_use_only_what_the_validation_understands_and_no_server_warns_about() {
    for_each_schema(|path, schema| {
        let types = ["object", "array", "string", "integer", "boolean"];
        assert!(types.contains(&schema.type_.as_deref().unwrap_or("none")), "{path}: {:?}", schema.type_);
        assert_eq!(schema.nullable, None, "{path}");
        assert_eq!(schema.pattern, None, "{path}: a rule with a message says more");
        assert_eq!(schema.multiple_of, None, "{path}");
        assert_eq!((schema.exclusive_minimum, schema.exclusive_maximum), (None, None), "{path}");
        assert!(schema.all_of.is_none() && schema.any_of.is_none() && schema.one_of.is_none(), "{path}");
        assert!(schema.not.is_none() && schema.unique_items.is_none(), "{path}");
        assert_ne!(schema.additional_properties, Some(JSONSchemaPropsOrBool::Bool(true)), "{path}");
        let formats = [None, Some("int32"), Some("int64"), Some("date-time")];
        assert!(formats.contains(&schema.format.as_deref()), "{path}: {:?}", schema.format);
    });
}

#[test]
fn every_field_is_explained() {
    for_each_schema(|path, schema| {
        let nested = path.ends_with("[]") || path.ends_with(".*");
        let explained = schema.description.as_deref().is_some_and(|text| !text.contains("Auto-generated"));
        // `status` and the parts of `matchLabels` are explained by what is around them.
        assert!(nested || explained || path.ends_with(".status"), "{path}");
    });
}

#[test]
fn lists_of_named_things_are_maps_except_where_one_writer_writes_all() {
    for_each_schema(|path, schema| {
        let Some(JSONSchemaPropsOrArray::Schema(items)) = &schema.items else { return };
        let required = items.required.clone().unwrap_or_default();
        // In `matchExpressions`, as in every label selector, one key may stand more than once.
        let key = ["name", "type"].into_iter().find(|key| required.iter().any(|field| field == key));
        let one_writer = path.starts_with("NodeConfig.") && !path.contains(".conditions");
        if one_writer && path.contains("[]") {
            // Within an atomic list nothing is merged.
        } else if one_writer {
            assert_eq!(schema.x_kubernetes_list_type.as_deref(), Some("atomic"), "{path}");
        } else if let Some(key) = key {
            assert_eq!(schema.x_kubernetes_list_type.as_deref(), Some("map"), "{path}");
            assert_eq!(schema.x_kubernetes_list_map_keys.as_deref(), Some(&[key.to_owned()][..]), "{path}");
        }
    });
}

#[test]
fn what_users_write_is_bounded_so_that_rules_stay_cheap() {
    for definition in [definition::virtual_ip(), definition::health_check(), definition::virtual_ip_group()] {
        let spec = &schema(&definition).properties.as_ref().unwrap()["spec"];
        walk("spec", spec, &mut |path, schema| {
            if schema.type_.as_deref() == Some("array") {
                assert!(schema.max_items.is_some(), "{path}");
            }
            if schema.type_.as_deref() == Some("string") && schema.x_kubernetes_validations.is_some() {
                assert!(schema.max_length.is_some(), "{path}");
            }
        });
    }
}

#[test]
fn the_node_config_has_no_rules_over_its_long_lists() {
    walk("NodeConfig", schema(&definition::node_config()), &mut |path, schema| {
        assert_eq!(schema.x_kubernetes_validations, None, "{path}");
    });
}

#[test]
fn the_probe_of_a_health_check_is_the_one_that_is_given() {
    let tcp = probe::TcpProbe { host: "127.0.0.1".to_owned(), port: 80 };
    let icmp = probe::IcmpProbe { host: "192.0.2.1".to_owned() };
    let none = HealthCheckSpec::default();
    let one = HealthCheckSpec { tcp: Some(tcp.clone()), ..HealthCheckSpec::default() };
    let two = HealthCheckSpec { icmp: Some(icmp), ..one.clone() };
    assert_eq!(none.probe(), None);
    assert_eq!(one.probe(), Some(probe::Probe::Tcp(&tcp)));
    assert_eq!(two.probe(), None);
}
