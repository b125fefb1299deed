use super::load;
use std::fs;

fn load_text(text: &str) -> Result<super::Config, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sealstoned.toml");
    fs::write(&path, text).unwrap();
    load(&path).map_err(|error| error.to_string())
}

const EXAMPLE: &str = include_str!("../../../../examples/sealstoned.toml");

#[test]
fn the_example_is_read_and_its_files_are_beside_it() {
    let config = load_text(EXAMPLE).unwrap();
    assert_eq!(config.server.base_url, "https://id.example.org");
    assert!(config.storage.path.unwrap().is_absolute());
}

#[test]
fn files_of_people_are_beside_it_too() {
    let people = "source = \"upstream\"\n";
    let more: String = ["people", "people_of.demo"]
        .map(|key| {
            format!(
                "[{key}]\n{people}[{key}.privacyidea]\nurl = \"u\"\nrealm = \"r\"\nuser_name = \"n\"\n\
                 password_file = \"p\"\nca_file = \"c\"\n[{key}.upstream]\nname = \"n\"\nissuer = \"i\"\n\
                 client_id = \"c\"\nclient_secret_file = \"s\"\nca_file = \"c\"\n"
            )
        })
        .concat();
    let text = EXAMPLE
        .replace("\n[logout]\n", "\n[logout]\nca_file = \"c\"\n")
        .replace("\n[pages]\n", "\n[pages]\nfolder = \"f\"\n");
    let config = load_text(&format!("{text}\n{more}")).unwrap();
    let mut files = vec![config.logout.ca_file.unwrap(), config.pages.folder.unwrap()];
    for people in config.people.into_iter().chain(config.people_of.into_values()) {
        let (privacyidea, upstream) = (people.privacyidea.unwrap(), people.upstream.unwrap());
        files.extend([privacyidea.password_file, privacyidea.ca_file.unwrap()]);
        files.extend([upstream.client_secret_file.unwrap(), upstream.ca_file.unwrap()]);
    }
    assert_eq!(files.len(), 10);
    for file in files {
        assert!(file.is_absolute(), "{}", file.display());
    }
}

#[test]
fn an_unknown_key_is_an_error_that_names_the_one_meant() {
    let text = EXAMPLE.replace("base_url = ", "base_ulr = ");
    let error = load_text(&text).unwrap_err();
    assert!(error.contains("did you mean `base_url`?"), "{error}");
    let error = load_text(&format!("{EXAMPLE}\n[banana]\nx = 1\n")).unwrap_err();
    assert!(error.contains("`banana` is no key"), "{error}");
}

#[test]
fn a_missing_key_and_a_wrong_type_are_named() {
    let text: String = EXAMPLE
        .lines()
        .filter(|line| !line.starts_with("pepper_file"))
        .collect::<Vec<_>>()
        .join("\n");
    let error = load_text(&text).unwrap_err();
    assert!(
        error.contains("`pepper_file` is missing") || error.contains("secrets.pepper_file"),
        "{error}"
    );
    let error = load_text(&EXAMPLE.replace("listen = \"0.0.0.0:8443\"", "listen = 8443")).unwrap_err();
    assert!(error.contains("server.listen"), "{error}");
}

#[test]
fn what_is_no_address_no_configuration_or_no_end_says_what_to_give() {
    let error = load_text(&EXAMPLE.replace("listen = \"0.0.0.0:8443\"", "listen = \"banana\"")).unwrap_err();
    assert!(
        error.contains("`server.listen`: give an address and a port"),
        "{error}"
    );
    let error = load_text("").unwrap_err();
    assert!(error.contains("examples/sealstoned.toml"), "{error}");
    let error = load_text(&format!("{EXAMPLE}\n# {}", "x".repeat(1_048_576))).unwrap_err();
    assert!(error.contains("more than 1 MiB") && error.len() < 500, "{error}");
}
