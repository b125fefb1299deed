//! Notes a login in `clouds.yaml`.

use std::{
    fs::{self, OpenOptions},
    io::Write as _,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use sealstone_client::CloudEdit;

use super::{
    selection::Selection,
    target::{Target, Through},
};
use crate::{
    failure::{Failure, Outcome},
    output,
};

/// Writes what the options say into the cloud's entry, so that openstacksdk understands it too.
pub(super) fn note(selection: &Selection, target: &Target) -> Outcome {
    let edit = edit(selection, target);
    let name = target.cloud.name();
    let files = Selection::files();
    let path = match files.clouds_file() {
        Some(path) => path.to_owned(),
        None => new_file()?,
    };
    let before = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => {
            return Err(anyhow::Error::new(error)
                .context(format!("{} cannot be read", path.display()))
                .into());
        }
    };
    let after = edit
        .apply(&before, name)
        .map_err(|error| Failure::failed(format!("{} is left as it is, for {error}", path.display())))?;
    if after == before {
        return Ok(());
    }
    replace(&path, &after)?;
    output::note(&format!("Noted as cloud {name} in {}.", path.display()));
    Ok(())
}

fn edit(selection: &Selection, target: &Target) -> CloudEdit {
    let mut edit = CloudEdit::default();
    let kind = match &target.through {
        // A login by code: what openstacksdk can do of it by itself.
        Through::OAuth(_) => Some("v3oidcdeviceauthz"),
        Through::WebSso(_) => Some("v3websso"),
        Through::Direct(_) => None,
    };
    let has_kind = target.cloud.setting("auth_type").is_some() && !selection.websso;
    if let Some(kind) = kind.filter(|_| !has_kind) {
        edit.settings.push(("auth_type".to_owned(), kind.to_owned()));
    }
    let ca = target.ca.as_ref();
    if let Some(ca) = ca.filter(|_| selection.ca.is_some() || selection.dev.is_some()) {
        let ca = std::path::absolute(ca).unwrap_or_else(|_| ca.clone());
        edit.settings
            .push(("cacert".to_owned(), ca.to_string_lossy().into_owned()));
    }
    let of_cloud = |name: &str| target.cloud.auth(name).map(str::to_owned);
    for (given, name) in [
        (selection.auth_url.is_some(), "auth_url"),
        (selection.identity_provider.is_some(), "identity_provider"),
        (selection.protocol.is_some(), "protocol"),
        (
            selection.issuer.is_some() || selection.dev.is_some(),
            "discovery_endpoint",
        ),
        (
            selection.client_id.is_some() || selection.dev.is_some(),
            "client_id",
        ),
        (selection.scope.is_some(), "openid_scope"),
        (selection.project.is_some(), "project_name"),
        (selection.project_domain.is_some(), "project_domain_name"),
        (selection.domain.is_some(), "domain_name"),
        (selection.system, "system_scope"),
    ] {
        if let Some(value) = of_cloud(name).filter(|_| given) {
            edit.auth.push((name.to_owned(), value));
        }
    }
    edit
}

/// Where a user's own clouds are, when there are none yet.
fn new_file() -> Outcome<PathBuf> {
    let folder = std::env::var_os("OS_CLIENT_CONFIG_FILE")
        .map(PathBuf::from)
        .filter(|path| !path.as_os_str().is_empty());
    if let Some(path) = folder {
        return Ok(path);
    }
    let home = std::env::var_os("HOME")
        .or_else(|| std::env::var_os("USERPROFILE"))
        .map(PathBuf::from);
    let home =
        home.ok_or_else(|| Failure::failed("HOME is not set: name the file by OS_CLIENT_CONFIG_FILE"))?;
    let folder = home.join(".config").join("openstack");
    fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    Ok(folder.join("clouds.yaml"))
}

/// Through a file of another name beside it, so that nobody reads half of it; with the mode that it has. A link stays a
/// link: what it leads to is replaced.
fn replace(path: &Path, text: &str) -> Outcome {
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let failed = || {
        format!(
            "{} cannot be written: check whose it is, and that there is room",
            path.display()
        )
    };
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let beside = path.with_file_name(name);
    let written = write_new(&beside, &path, text).and_then(|()| fs::rename(&beside, &path));
    if written.is_err() {
        let _nothing_more_to_do = fs::remove_file(&beside);
    }
    Ok(written.with_context(failed)?)
}

fn write_new(beside: &Path, path: &Path, text: &str) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        // Passwords may stand in it.
        options.mode(0o600);
    }
    let mut file = options.open(beside)?;
    file.write_all(text.as_bytes())?;
    if let Ok(found) = fs::metadata(path) {
        file.set_permissions(found.permissions())?;
    }
    file.sync_all()
}
