//! The form of a role: reading it, and showing it again.

use bellwire_core::{
    permission::{Permission, Permissions},
    text::{Description, Name},
    time::Timestamp,
};

use super::{
    reply::{self, field, field_error, parse},
    request::{Fields, Signed},
    view::roles::{FormDialog, MatrixGroup, MatrixRow, PermissionChoice, PermissionGroup},
};
use crate::{
    db::roles::Role,
    error::{Error, FieldError},
};

/// What is in the fields, valid or not.
#[derive(Clone, Debug, Default)]
pub(super) struct RoleForm {
    name: String,
    description: String,
    permissions: Vec<String>,
    /// When the role that the form was made of changed last, in microseconds.
    pub(super) seen: String,
}

/// What can be asked of `ops`.
#[derive(Clone, Debug)]
pub(super) struct Parsed {
    pub(super) name: Name,
    pub(super) description: Description,
    pub(super) permissions: Permissions,
    pub(super) seen: Option<Timestamp>,
}

impl RoleForm {
    /// What was sent.
    pub(super) fn read(fields: &Fields) -> Self {
        Self {
            name: fields.text("name").to_owned(),
            description: fields.text("description").to_owned(),
            permissions: fields.all("permissions").map(str::to_owned).collect(),
            seen: fields.text("seen").to_owned(),
        }
    }

    /// The form of a role that exists.
    pub(super) fn of(role: &Role) -> Self {
        Self {
            name: role.name.clone(),
            description: role.description.clone(),
            permissions: role.permissions.iter().map(|permission| permission.as_str().to_owned()).collect(),
            seen: role.updated_at.as_micros().to_string(),
        }
    }

    /// What can be told without asking anybody.
    ///
    /// # Errors
    /// What is wrong with each field.
    pub(super) fn parse(&self) -> Result<Parsed, Error> {
        let mut errors: Vec<FieldError> = Vec::new();
        let name = parse("name", Name::parse(&self.name), &mut errors);
        let description = parse("description", Description::parse(&self.description), &mut errors);
        let permissions: Result<Permissions, String> = self
            .permissions
            .iter()
            .map(|text| text.parse::<Permission>().map_err(|error| format!("{text} {error}")))
            .collect();
        let permissions = match permissions {
            Ok(none) if none.is_empty() => Err("choose at least one permission".to_owned()),
            other => other,
        };
        let permissions = parse("permissions", permissions, &mut errors);
        let seen = self.seen.parse().ok().map(Timestamp::from_micros);
        match (name, description, permissions) {
            (Some(name), Some(description), Some(permissions)) => Ok(Parsed { name, description, permissions, seen }),
            _ => Err(Error::Invalid(errors)),
        }
    }

    /// The dialog. `id` is the role that is changed; `problem` is why the form was refused, if it was.
    pub(super) fn dialog(
        &self,
        signed: &Signed,
        id: Option<String>,
        return_to: String,
        problem: Option<&Error>,
    ) -> FormDialog {
        let errors: &[FieldError] = match problem {
            Some(Error::Invalid(errors)) => errors,
            _ => &[],
        };
        let choice = |permission: Permission| PermissionChoice {
            name: permission.as_str(),
            title: permission.title(),
            checked: self.permissions.iter().any(|name| name == permission.as_str()),
            locked: !signed.may(permission),
        };
        // To own the workspace is the role Owner's alone.
        let offered = |permission: &Permission| *permission != Permission::WorkspaceOwn;
        let groups = grouped(Permission::ALL.iter().copied().filter(offered));
        let groups = groups.into_iter().map(|(title, permissions)| PermissionGroup {
            title,
            choices: permissions.into_iter().map(choice).collect(),
        });
        FormDialog {
            id,
            name: field("name", &self.name, errors),
            description: field("description", &self.description, errors),
            groups: groups.collect(),
            permissions_error: field_error("permissions", errors),
            error: problem.filter(|problem| !matches!(problem, Error::Invalid(_))).map(reply::sentence),
            seen: self.seen.clone(),
            return_to,
        }
    }
}

/// What a permission is about.
const fn subject(permission: Permission) -> &'static str {
    use Permission as P;
    match permission {
        P::WebhooksView | P::WebhooksManage => "Webhooks",
        P::EventsView | P::EventsPublish => "Events",
        P::UsersView | P::UsersManage => "Users",
        P::InvitesManage => "Invites",
        P::GroupsView | P::GroupsManage => "Groups",
        P::RolesView | P::RolesManage => "Roles",
        P::ApiKeysView | P::ApiKeysManage => "API keys",
        P::LicenseView | P::LicenseManage | P::UsageReport => "License and state changes",
        P::SettingsManage | P::WorkspaceOwn => "Workspace",
    }
}

/// Permissions in their order, those about one thing together.
pub(super) fn grouped(permissions: impl Iterator<Item = Permission>) -> Vec<(&'static str, Vec<Permission>)> {
    let mut groups: Vec<(&'static str, Vec<Permission>)> = Vec::new();
    for permission in permissions {
        match groups.last_mut() {
            Some((title, group)) if *title == subject(permission) => group.push(permission),
            _ => groups.push((subject(permission), vec![permission])),
        }
    }
    groups
}

/// The rows of a matrix with these roles; none of them for what they allow in words.
pub(super) fn matrix(permissions: impl Iterator<Item = Permission>, roles: &[Role]) -> Vec<MatrixGroup> {
    let row = |permission: Permission| MatrixRow {
        name: permission.as_str(),
        title: permission.title(),
        cells: roles.iter().map(|role| role.permissions.allow(permission)).collect(),
    };
    let groups = grouped(permissions).into_iter();
    groups.map(|(title, rows)| MatrixGroup { title, rows: rows.into_iter().map(row).collect() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_permission_is_in_one_group() {
        let groups = grouped(Permission::ALL.iter().copied());
        let mut titles: Vec<&str> = groups.iter().map(|(title, _)| *title).collect();
        assert_eq!(groups.iter().map(|(_, group)| group.len()).sum::<usize>(), Permission::ALL.len());
        titles.sort_unstable();
        titles.dedup();
        assert_eq!(titles.len(), groups.len(), "what is about one thing stands together");
    }

    #[test]
    fn a_form_says_what_is_wrong_with_each_field() {
        let form = |text: &str| RoleForm::read(&Fields::parse(text.as_bytes()));
        let fields = |form: &RoleForm| match form.parse() {
            Err(Error::Invalid(errors)) => errors.into_iter().map(|error| error.field).collect::<Vec<_>>(),
            other => panic!("{other:?}"),
        };
        assert_eq!(fields(&form("")), ["name", "permissions"]);
        assert_eq!(fields(&form("name=Auditor&permissions=events.view&permissions=everything")), ["permissions"]);
        let long = "a".repeat(501);
        assert_eq!(fields(&form(&format!("name=A&permissions=events.view&description={long}"))), ["description"]);
        let fine = form("name=+Auditor+&permissions=users.view&permissions=events.view&seen=7").parse().unwrap();
        assert_eq!((fine.name.as_str(), fine.seen), ("Auditor", Some(Timestamp::from_micros(7))));
        assert_eq!(serde_json::to_string(&fine.permissions).unwrap(), r#"["events.view","users.view"]"#);
    }
}
