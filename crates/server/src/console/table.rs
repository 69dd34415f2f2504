//! What all lists of the console share: how they are sorted, which page is shown, and the words below the table.

use super::{
    request::Fields,
    view::{
        listing::{Listing, Order},
        parts::{Choice, Pager, Searched},
    },
};

use crate::{
    db::page::{COUNTED, Page, PageRequest, Sort},
    error::Error,
};

/// Rows of a page.
pub(super) const ROWS: u32 = 50;
/// The last page that can be asked for: deeper ones are found by searching.
const LAST_PAGE: u64 = 100_000;

/// A list as it was asked for.
#[derive(Debug)]
pub(super) struct Table {
    /// Its address, for every link in it.
    pub(super) list: Listing,
    /// The column that it is sorted by: one of those that the list offers.
    pub(super) sort: &'static str,
    pub(super) descending: bool,
    /// The shown page, from 1.
    pub(super) page: u64,
    /// Behind which row the shown page of a searched list begins.
    after: String,
}

impl Table {
    /// Reads a query. Unknown columns are the default one; of the query's fields only `filters` are kept in links.
    pub(super) fn read(
        path: &str,
        query: &Fields,
        filters: &[&str],
        columns: &[&'static str],
        default: (&'static str, Order),
    ) -> Self {
        let asked = columns.iter().copied().find(|column| *column == query.text("sort"));
        let order = match (asked, query.text("order")) {
            (None, _) => default.1,
            (Some(_), "desc") => Order::Descending,
            (Some(_), _) => Order::Ascending,
        };
        let sort = asked.unwrap_or(default.0);
        let filters: Vec<(&str, &str)> = filters.iter().map(|name| (*name, query.text(name).trim())).collect();
        Self {
            list: Listing::new(path, &filters, sort, order, (sort, order) == default),
            sort,
            descending: order == Order::Descending,
            after: query.text("after").to_owned(),
            page: query.text("page").parse::<u64>().unwrap_or(1).clamp(1, LAST_PAGE),
        }
    }

    /// The value of a filter, if it is set.
    pub(super) fn filter(&self, name: &str) -> Option<&str> {
        Some(self.list.filter(name)).filter(|value| !value.is_empty())
    }

    /// Rows before the shown page.
    fn offset(&self) -> u64 {
        (self.page - 1) * u64::from(ROWS)
    }

    /// The page that is shown of a list that nobody counts, newest first. One that is `sifted`, which is to say filtered by what no
    /// index knows, is followed from cursor to cursor: then no page takes longer than another.
    pub(super) fn uncounted_request<S: Sort>(&self, sort: S, sifted: bool) -> PageRequest<S> {
        let first = PageRequest::numbered(if sifted { 1 } else { self.page }, ROWS, sort, true);
        if sifted && !self.after.is_empty() { first.following(&self.after).unwrap_or(first) } else { first }
    }

    /// The words and buttons below such a list.
    pub(super) fn uncounted<T>(&self, found: &Page<T>, sifted: bool) -> Pager {
        let rows = u64::try_from(found.data.len()).unwrap_or(0);
        if !sifted {
            let total = self.offset() + rows + u64::from(found.next.is_some());
            return Pager { total: None, ..self.pager(found.data.len(), total) };
        }
        let next = found.next.as_deref();
        Pager {
            previous: (!self.after.is_empty()).then(|| self.list.here()),
            next: next.map(|cursor| self.list.page_href("after", cursor)),
            searched: Some(Searched { found: rows, ended_early: next.is_some() && rows < u64::from(ROWS) }),
            ..Pager::default()
        }
    }

    /// How many rows there are on all pages: known without counting when this is the last one.
    ///
    /// # Errors
    /// What `count` returns.
    pub(super) async fn total<T>(
        &self,
        found: &Page<T>,
        count: impl Future<Output = Result<u64, Error>>,
    ) -> Result<u64, Error> {
        match found.data.len() {
            rows if found.next.is_none() && (rows > 0 || self.page == 1) => {
                Ok(self.offset() + u64::try_from(rows).unwrap_or(0))
            }
            _ => count.await,
        }
    }

    /// The words and buttons below a table that shows `rows` of `total`.
    pub(super) fn pager(&self, rows: usize, total: u64) -> Pager {
        let before = self.offset();
        let last = before + u64::try_from(rows).unwrap_or(0);
        let page = |number: u64| self.list.page_href("page", &number.to_string());
        Pager {
            first: if rows == 0 { 0 } else { before + 1 },
            last: if rows == 0 { 0 } else { last },
            total: Some(total),
            previous: (self.page > 1).then(|| if self.page == 2 { self.list.here() } else { page(self.page - 1) }),
            next: (rows > 0 && (last < total || total > COUNTED && rows == ROWS as usize)).then(|| page(self.page + 1)),
            searched: None,
        }
    }
}

/// The options of a filter: all of them first.
pub(super) fn choices<'a>(
    all: &str,
    options: impl IntoIterator<Item = (&'a str, &'a str)>,
    chosen: &str,
) -> Vec<Choice> {
    let first = Choice::new("", all, chosen.is_empty());
    let options = options.into_iter().map(|(value, text)| Choice::new(value, text, value == chosen));
    std::iter::once(first).chain(options).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(query: &str) -> Table {
        Table::read("/users", &Fields::parse(query.as_bytes()), &["q"], &["name", "email"], ("name", Order::Ascending))
    }

    #[test]
    fn a_query_says_how_a_list_is_sorted() {
        assert_eq!(table("").list.here(), "/users");
        assert_eq!((table("").sort, table("").descending), ("name", false));
        let sorted = table("q=+ann+&sort=email&order=desc&page=3&other=1");
        assert_eq!((sorted.sort, sorted.descending, sorted.offset()), ("email", true, 100));
        assert_eq!(sorted.list.here(), "/users?q=ann&sort=email&order=desc");
        assert_eq!(sorted.filter("q"), Some("ann"));
        assert_eq!(table("sort=password_hash&order=desc").list.here(), "/users");
    }

    #[test]
    fn pages_are_counted_from_one() {
        assert_eq!(table("page=0").offset(), 0);
        assert_eq!(table("page=-1").offset(), 0);
        assert_eq!(table("page=99999999999999999999").offset(), 0);
        let first = table("").pager(50, 120);
        assert_eq!(
            (first.text().as_str(), first.previous, first.next.as_deref()),
            ("1–50 of 120", None, Some("/users?page=2"))
        );
        let last = table("page=3").pager(20, 120);
        assert_eq!(
            (last.text().as_str(), last.previous.as_deref(), last.next),
            ("101–120 of 120", Some("/users?page=2"), None)
        );
        assert_eq!(table("page=2").pager(0, 20).previous.as_deref(), Some("/users"));
    }

    fn found(rows: usize, next: Option<&str>) -> Page<usize> {
        Page { data: (0..rows).collect(), next: next.map(str::to_owned) }
    }

    #[test]
    fn what_nobody_counts_is_turned_by_number() {
        let first = table("").uncounted(&found(50, Some("c")), false);
        assert_eq!(
            (first.text().as_str(), first.previous, first.next.as_deref()),
            ("1–50", None, Some("/users?page=2"))
        );
        let last = table("page=2").uncounted(&found(3, None), false);
        assert_eq!((last.text().as_str(), last.previous.as_deref(), last.next), ("51–53", Some("/users"), None));
    }

    #[test]
    fn what_is_sifted_is_followed_by_cursor() {
        let full = table("q=ann").uncounted(&found(50, Some("c")), true);
        assert_eq!((full.text().as_str(), full.labels()), ("50 found", ("Newest", "Older")));
        assert_eq!((full.previous, full.next.as_deref()), (None, Some("/users?q=ann&after=c")));
        let early = table("q=ann&after=c").uncounted(&found(2, Some("d")), true);
        assert_eq!((early.text().as_str(), early.labels()), ("2 found so far", ("Newest", "Search older ones")));
        assert_eq!(early.previous.as_deref(), Some("/users?q=ann"));
        let end = table("q=ann&after=d").uncounted(&found(0, None), true);
        assert_eq!((end.text().as_str(), end.next), ("0 found", None));
    }
}
