//! What one may do in a workspace, named by what people do there.
//!
//! A role is a set of permissions. Three roles are built in; the others are made by administrators. Whoever holds a role may
//! do what it says from their next request on.

use serde::{Deserialize, Serialize};

macro_rules! permissions {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $title:literal;)*) => {
        /// One thing that one may do.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
        pub enum Permission {
            $($(#[$doc])* #[serde(rename = $name)] $variant,)*
        }

        impl Permission {
            /// All of them, in the order of the matrix page.
            pub const ALL: &[Permission] = &[$(Permission::$variant,)*];

            /// The stable name: `webhooks.manage`.
            pub const fn as_str(self) -> &'static str {
                match self { $(Permission::$variant => $name,)* }
            }

            /// In words: "Create, modify and delete webhooks".
            pub const fn title(self) -> &'static str {
                match self { $(Permission::$variant => $title,)* }
            }
        }
    };
}

permissions! {
    /// See webhooks and their deliveries.
    WebhooksView = "webhooks.view", "See webhooks and their deliveries";
    /// Create, modify, switch, test and delete webhooks; see their secrets.
    WebhooksManage = "webhooks.manage", "Create, modify, switch, test and delete webhooks; see their secrets";
    /// See the workspace's events.
    EventsView = "events.view", "See the workspace's events";
    /// Publish events from other systems.
    EventsPublish = "events.publish", "Publish events from other systems";
    /// See users.
    UsersView = "users.view", "See users";
    /// Change, block and remove users.
    UsersManage = "users.manage", "Change, block and remove users";
    /// Invite people, and see and delete invites.
    InvitesManage = "invites.manage", "Invite people; see and delete invites";
    /// See groups.
    GroupsView = "groups.view", "See groups";
    /// Create, change and delete groups and their members.
    GroupsManage = "groups.manage", "Create, change and delete groups and their members";
    /// See roles.
    RolesView = "roles.view", "See roles";
    /// Create, change, delete and assign roles.
    RolesManage = "roles.manage", "Create, change, delete and assign roles";
    /// See API keys (never their secrets).
    ApiKeysView = "api_keys.view", "See API keys";
    /// Create, rotate, block and delete API keys.
    ApiKeysManage = "api_keys.manage", "Create, rotate, block and delete API keys";
    /// See the license and its balance.
    LicenseView = "license.view", "See the license and its balance";
    /// Credit state changes and change thresholds.
    LicenseManage = "license.manage", "Credit state changes and change thresholds";
    /// Report state changes used.
    UsageReport = "usage.report", "Report state changes used";
    /// Change the workspace's settings.
    SettingsManage = "settings.manage", "Change the workspace's settings";
    /// Own the workspace: give and take the Owner role.
    WorkspaceOwn = "workspace.own", "Own the workspace: give and take the Owner role";
}

/// The text names no permission. The message is meant for the person who sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is no permission: see the matrix of roles for their names")]
pub struct UnknownPermission;

impl std::str::FromStr for Permission {
    type Err = UnknownPermission;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.iter().copied().find(|permission| permission.as_str() == text).ok_or(UnknownPermission)
    }
}

/// A set of permissions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Permissions(u32);

impl Permissions {
    /// Whether `permission` is in the set.
    pub const fn allow(self, permission: Permission) -> bool {
        self.0 & (1 << permission as u32) != 0
    }

    /// Everything that either set allows.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether this set allows all that `other` allows. Nobody can give what they don't have.
    pub const fn covers(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether the set allows nothing.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The permissions in the set, in order.
    pub fn iter(self) -> impl Iterator<Item = Permission> {
        Permission::ALL.iter().copied().filter(move |permission| self.allow(*permission))
    }
}

impl FromIterator<Permission> for Permissions {
    fn from_iter<I: IntoIterator<Item = Permission>>(permissions: I) -> Self {
        Self(permissions.into_iter().fold(0, |bits, permission| bits | 1 << permission as u32))
    }
}

impl Serialize for Permissions {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for Permissions {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Vec::<Permission>::deserialize(deserializer)?.into_iter().collect())
    }
}

/// The roles that every workspace has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BuiltInRole {
    /// May do everything. A workspace always has at least one active user with it.
    Owner,
    /// May do everything but give and take ownership.
    Admin,
    /// Sees who is in the workspace.
    Member,
}

impl BuiltInRole {
    /// All three, most powerful first.
    pub const ALL: [Self; 3] = [Self::Owner, Self::Admin, Self::Member];

    /// Its name, which is its identity in storage too: `Owner`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Owner => "Owner",
            Self::Admin => "Admin",
            Self::Member => "Member",
        }
    }

    /// What it is for.
    pub const fn description(self) -> &'static str {
        match self {
            Self::Owner => "May do everything, including giving the workspace to somebody else",
            Self::Admin => "May do everything except giving and taking ownership",
            Self::Member => "Sees the people, groups and roles of the workspace",
        }
    }

    /// What it allows.
    pub fn permissions(self) -> Permissions {
        use Permission as P;
        let all = Permission::ALL.iter().copied();
        match self {
            Self::Owner => all.collect(),
            Self::Admin => all.filter(|permission| *permission != P::WorkspaceOwn).collect(),
            Self::Member => [P::UsersView, P::GroupsView, P::RolesView].into_iter().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn built_in_roles_are_ordered() {
        let [owner, admin, member] = BuiltInRole::ALL.map(BuiltInRole::permissions);
        assert!(owner.covers(admin) && admin.covers(member) && !admin.covers(owner) && !member.covers(admin));
        assert!(!admin.allow(Permission::WorkspaceOwn));
    }

    #[test]
    fn names_are_read_exactly() {
        for permission in Permission::ALL {
            assert_eq!(permission.as_str().parse(), Ok(*permission));
        }
        for other in ["", "users", "users.*", "Users.View", " users.view", "users.view\0"] {
            assert_eq!(other.parse::<Permission>(), Err(UnknownPermission), "{other}");
        }
        assert!(Permissions::default().is_empty() && !BuiltInRole::Member.permissions().is_empty());
    }

    #[test]
    fn serialise_as_names() {
        let text = serde_json::to_string(&BuiltInRole::Member.permissions()).unwrap();
        assert_eq!(text, r#"["users.view","groups.view","roles.view"]"#);
        assert_eq!(serde_json::from_str::<Permissions>(&text).unwrap(), BuiltInRole::Member.permissions());
    }
}
