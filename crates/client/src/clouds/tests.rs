//! Which file counts, and what it says, as openstacksdk has it.

use std::fs;

use super::*;

struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        Self { folder }
    }

    fn files(&self, variables: &[(&str, &str)]) -> CloudFiles {
        let root = self.folder.path();
        CloudFiles::usual(&root.join("here"), |name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            match name {
                "HOME" => Some(root.join("home")),
                _ => found.map(|(_, value)| {
                    if value.is_empty() {
                        PathBuf::new()
                    } else {
                        root.join(value)
                    }
                }),
            }
        })
    }
}

const ONE: &str = "clouds:\n  a:\n    auth:\n      auth_url: one\n";

#[test]
fn the_first_file_counts() {
    let two = ONE.replace("one", "two");
    let three = ONE.replace("one", "three");
    let place = Place::new(&[
        ("home/.config/openstack/clouds.yaml", ONE),
        ("here/clouds.yml", &two),
        (
            "else/clouds.json",
            "{\"clouds\": {\"a\": {\"auth\": {\"auth_url\": \"three\"}}}}",
        ),
        ("xdg/openstack/clouds.yaml", &three),
    ]);
    let url = |variables| {
        place
            .files(variables)
            .cloud("a")
            .unwrap()
            .auth("auth_url")
            .unwrap()
            .to_owned()
    };
    assert_eq!(url(&[]), "two");
    assert_eq!(url(&[("OS_CLIENT_CONFIG_FILE", "else/clouds.json")]), "three");
    assert_eq!(url(&[("OS_CLIENT_CONFIG_FILE", "nowhere")]), "two");
    assert_eq!(url(&[("OS_CLIENT_CONFIG_FILE", "")]), "two");
    fs::remove_file(place.folder.path().join("here/clouds.yml")).unwrap();
    assert_eq!(url(&[]), "one");
    if cfg!(target_os = "linux") {
        assert_eq!(url(&[("XDG_CONFIG_HOME", "xdg")]), "three");
    }
}

#[test]
fn secrets_and_profiles_are_merged() {
    let place = Place::new(&[
        (
            "here/clouds.yaml",
            "clouds:\n  a:\n    profile: vendor\n    region-name: R2\n    project_name: p\n    auth:\n      username: u\n      password: no\n",
        ),
        (
            "here/secure.yaml",
            "clouds:\n  a:\n    auth:\n      password: hush\n",
        ),
        (
            "here/clouds-public.yaml",
            "public-clouds:\n  vendor:\n    region_name: R1\n    interface: internal\n    auth:\n      auth-url: https://vendor/v3\n",
        ),
    ]);
    let cloud = place.files(&[]).cloud("a").unwrap();
    for (name, want) in [
        ("auth_url", "https://vendor/v3"),
        ("username", "u"),
        ("password", "hush"),
        ("project_name", "p"),
    ] {
        assert_eq!(cloud.auth(name), Some(want), "{name}");
    }
    assert_eq!(cloud.setting("region_name"), Some("R2"));
    assert_eq!(cloud.setting("interface"), Some("internal"));
    assert_eq!(cloud.auth("region_name"), None);
    assert!(!format!("{cloud:?}").contains("hush"));
    assert_eq!(cloud.clone().without_scope().auth("project_name"), None);
}

#[test]
fn what_is_missing_is_said() {
    let place = Place::new(&[("here/clouds.yaml", ONE)]);
    let error = place.files(&[]).cloud("b").unwrap_err().to_string();
    assert!(error.contains("no cloud \"b\"; it has: a"), "{error}");
    let none = Place::new(&[]);
    let error = none.files(&[]).cloud("b").unwrap_err().to_string();
    assert!(error.contains("there is no clouds.yaml"), "{error}");
    assert!(none.files(&[]).names().unwrap().is_empty());
    let bad = Place::new(&[("here/clouds.yaml", "clouds:\n\t- x: [\n")]);
    let error = bad.files(&[]).cloud("b").unwrap_err().to_string();
    assert!(error.contains("line "), "{error}");
}

#[test]
fn the_variables_make_a_cloud_too() {
    let set = |name: &str| match name {
        "OS_AUTH_URL" => Some("https://k/v3".to_owned()),
        "OS_PROJECT_NAME" => Some("p".to_owned()),
        "OS_USERNAME" => Some(String::new()),
        _ => None,
    };
    let cloud = Cloud::of_environment(set).unwrap();
    assert_eq!(
        (cloud.name(), cloud.auth("auth_url")),
        ("envvars", Some("https://k/v3"))
    );
    assert_eq!(
        (cloud.auth("project_name"), cloud.auth("username")),
        (Some("p"), None)
    );
    assert!(Cloud::of_environment(|_| None).is_none());
}
