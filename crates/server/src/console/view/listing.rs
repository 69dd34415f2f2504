//! The address of a list: what it is filtered and sorted by, and every link that keeps the reader in it.

use url::form_urlencoded;

/// The direction of a sorted column.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Order {
    #[default]
    Ascending,
    Descending,
}

impl Order {
    /// The value of `?order=`.
    pub(crate) const fn key(self) -> &'static str {
        match self {
            Self::Ascending => "asc",
            Self::Descending => "desc",
        }
    }
}

/// Where a list is now. Pages are not part of it: sorting or filtering starts at the first page again.
#[derive(Debug, Clone)]
pub(crate) struct Listing {
    path: String,
    /// The filters that are set, in the order of the form.
    filters: Vec<(String, String)>,
    sort: String,
    order: Order,
    /// Whether `sort` and `order` are what the list has when nothing is asked for.
    by_default: bool,
}

impl Listing {
    /// A list at `path` with the filters that are set (empty values are left out).
    pub(crate) fn new(path: &str, filters: &[(&str, &str)], sort: &str, order: Order, by_default: bool) -> Self {
        let filters = filters
            .iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        Self { path: path.to_owned(), filters, sort: sort.to_owned(), order, by_default }
    }

    /// The list without any filter.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// Whether a filter hides something.
    pub(crate) fn is_filtered(&self) -> bool {
        !self.filters.is_empty()
    }

    /// The value of a filter, empty when it isn't set.
    pub(crate) fn filter(&self, name: &str) -> &str {
        self.filters.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }

    /// Hidden fields for the filter form: the sort is kept when a filter changes.
    pub(crate) fn kept(&self) -> Vec<(&'static str, &str)> {
        if self.by_default { Vec::new() } else { vec![("sort", self.sort.as_str()), ("order", self.order.key())] }
    }

    /// The value of `aria-sort` for a column.
    pub(crate) fn aria_sort(&self, column: &str) -> &'static str {
        match self.order {
            _ if self.sort != column => "none",
            Order::Ascending => "ascending",
            Order::Descending => "descending",
        }
    }

    /// Where the header of a column leads: sorted by it, or the other way round if it already is.
    pub(crate) fn sort_href(&self, column: &str) -> String {
        let order = match self.order {
            Order::Ascending if self.sort == column => Order::Descending,
            _ => Order::Ascending,
        };
        self.address(Some((column, order)), &[])
    }

    /// This list at another page.
    pub(crate) fn page_href(&self, name: &str, value: &str) -> String {
        self.address(self.sorting(), &[(name, value)])
    }

    /// What this list shows, all of it, at another path: as a file.
    pub(crate) fn elsewhere(&self, path: &str) -> String {
        Self { path: path.to_owned(), ..self.clone() }.here()
    }

    /// This list, from its first page.
    pub(crate) fn here(&self) -> String {
        self.address(self.sorting(), &[])
    }

    /// This list without one of its filters.
    pub(crate) fn without(&self, filter: &str) -> String {
        let filters = self.filters.iter().filter(|(name, _)| name != filter).cloned().collect();
        Self { filters, ..self.clone() }.here()
    }

    /// The end of a dialog's address that brings the reader back here. Never left out: what a dialog falls back to is the
    /// list of its section, and this may be another page's list.
    pub(crate) fn back(&self) -> String {
        format!("?{}", form_urlencoded::Serializer::new(String::new()).append_pair("return_to", &self.here()).finish())
    }

    fn sorting(&self) -> Option<(&str, Order)> {
        (!self.by_default).then_some((self.sort.as_str(), self.order))
    }

    fn address(&self, sorting: Option<(&str, Order)>, more: &[(&str, &str)]) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(&self.filters);
        if let Some((column, order)) = sorting {
            query.append_pair("sort", column).append_pair("order", order.key());
        }
        query.extend_pairs(more);
        let query = query.finish();
        if query.is_empty() { self.path.clone() } else { format!("{}?{query}", self.path) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_turns_the_order_round_and_keeps_the_filters() {
        let list = Listing::new("/webhooks", &[("q", "a b"), ("status", "")], "url", Order::Ascending, false);
        assert_eq!(list.sort_href("url"), "/webhooks?q=a+b&sort=url&order=desc");
        assert_eq!(list.sort_href("owner"), "/webhooks?q=a+b&sort=owner&order=asc");
        assert_eq!(list.aria_sort("url"), "ascending");
        assert_eq!(list.aria_sort("owner"), "none");
        assert_eq!(list.page_href("page", "2"), "/webhooks?q=a+b&sort=url&order=asc&page=2");
        assert_eq!(list.without("q"), "/webhooks?sort=url&order=asc");
        assert_eq!(list.without("status"), list.here());
    }

    #[test]
    fn every_list_names_itself_as_the_way_back() {
        let plain = Listing::new("/groups/grp_1", &[], "created_at", Order::Descending, true);
        assert_eq!(plain.here(), "/groups/grp_1");
        assert_eq!(plain.back(), "?return_to=%2Fgroups%2Fgrp_1");
        let sorted = Listing::new("/webhooks", &[], "url", Order::Ascending, false);
        assert_eq!(sorted.back(), "?return_to=%2Fwebhooks%3Fsort%3Durl%26order%3Dasc");
    }
}
