//! Users, groups, projects, domains and roles.

mod assignment;
mod group;
mod project;
mod role;
mod user;

pub use assignment::{Assignee, Assignment, AssignmentFilter, AssignmentScope, Named};
pub use group::Group;
pub use project::{Domain, Project, ProjectFilter};
pub use role::{Role, RoleInference};
pub use user::{FederatedOrigin, PasswordChange, User, UserFilter, UserOptions, UserUpdate};
