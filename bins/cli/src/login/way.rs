//! By which way somebody logs in: by a browser on this machine, or by a code that is entered on another.

/// The ways to log in, and who chose it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// A browser of this machine, opened by this program.
    Browser,
    /// A browser of this machine, opened by the person.
    BrowserByHand,
    /// A code that is entered anywhere.
    Device(WhyDevice),
}

/// Why a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WhyDevice {
    /// `--device`.
    Asked,
    /// The session comes over SSH: a browser would open somewhere else, if at all.
    Ssh,
    /// There is no display.
    NoDisplay,
    /// It is a container.
    Container,
    /// Nobody sits there.
    Ci,
}

impl WhyDevice {
    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::Asked => "as --device says",
            Self::Ssh => "for this is a session over SSH",
            Self::NoDisplay => "for there is no display here",
            Self::Container => "for this is a container",
            Self::Ci => "for this is a CI job",
        }
    }
}

/// What the machine tells of itself.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Surroundings {
    ssh: bool,
    display: bool,
    container: bool,
    ci: bool,
}

impl Surroundings {
    pub(crate) fn here() -> Self {
        let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let marks = ["/.dockerenv", "/run/.containerenv"];
        let container = is_set("container") || is_set("KUBERNETES_SERVICE_HOST");
        Self::of(
            is_set,
            container || marks.iter().any(|mark| std::path::Path::new(mark).exists()),
        )
    }

    fn of(is_set: impl Fn(&str) -> bool, container: bool) -> Self {
        Self {
            ssh: is_set("SSH_CONNECTION") || is_set("SSH_TTY") || is_set("SSH_CLIENT"),
            // macOS and Windows have a desktop wherever somebody sits.
            display: cfg!(any(windows, target_os = "macos"))
                || is_set("DISPLAY")
                || is_set("WAYLAND_DISPLAY"),
            container,
            ci: is_set("CI"),
        }
    }

    /// The way that suits them.
    pub(crate) const fn way(self) -> Way {
        if self.ssh {
            Way::Device(WhyDevice::Ssh)
        } else if self.ci {
            Way::Device(WhyDevice::Ci)
        } else if self.display {
            // A container with a display was given one to use it.
            Way::Browser
        } else if self.container {
            Way::Device(WhyDevice::Container)
        } else {
            Way::Device(WhyDevice::NoDisplay)
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_browser_is_taken_where_there_is_one() {
        for (set, container, want) in [
            (&["DISPLAY"][..], false, Way::Browser),
            (&["WAYLAND_DISPLAY"], false, Way::Browser),
            (&["WAYLAND_DISPLAY"], true, Way::Browser),
            (&[], false, Way::Device(WhyDevice::NoDisplay)),
            (&[], true, Way::Device(WhyDevice::Container)),
            (&["DISPLAY", "SSH_CONNECTION"], false, Way::Device(WhyDevice::Ssh)),
            (&["DISPLAY", "SSH_TTY"], false, Way::Device(WhyDevice::Ssh)),
            (&["DISPLAY", "CI"], false, Way::Device(WhyDevice::Ci)),
        ] {
            let surroundings = Surroundings::of(|name| set.contains(&name), container);
            assert_eq!(surroundings.way(), want, "{set:?} {container}");
        }
    }
}
