//! The License page: its balance, credits, thresholds and block, with a webhook that tracks state changes.

use serde_json::{Value, json};

use super::{Journey, TOAST, journey, types};
use crate::{support::client::Client, webdriver::Kind};

impl Journey {
    /// What a program does: reports use.
    async fn reports_use(&self, amount: i64) -> (u16, Value) {
        let address = self.site.url.strip_prefix("http://").unwrap().parse().unwrap();
        let client = Client { address, key: self.site.api_key.clone() };
        let (status, answer) =
            client.request("POST", "/api/v1/license/usage", &json!({"amount": amount})).await.unwrap();
        (status.as_u16(), answer)
    }
}

const SUBMIT: &str = "dialog .dialog-foot button";

#[tokio::test(flavor = "multi_thread")]
async fn credit_use_and_block_the_license() {
    journey(Kind::DESK, async |it: &Journey| {
        it.webhook(&it.receiver.url(), &["state_changes.*", "license.*"]).await;
        let browser = &it.browser;
        browser.open("/license").await;
        browser.says("#balance", "100,000").await;
        browser.says("#plan-name", "Standard").await;
        browser.says("main", "Nothing was used in this period.").await;
        browser.picture("license-new").await;

        browser.click("#credit").await;
        browser.fill("#amount", "a lot").await;
        browser.click(SUBMIT).await;
        browser.says("#amount-error", "Must be a whole number from 1 to 1,000,000,000,000.").await;
        browser.fill("#amount", "20,000").await;
        browser.fill("#note", "Order 4711").await;
        browser.picture("license-credit").await;
        browser.click(SUBMIT).await;
        browser.says(TOAST, "20,000 state changes were credited.").await;
        browser.says("#balance", "120,000").await;
        browser.says(".table", "Order 4711").await;
        let told = it.delivered(0, 1).await;
        assert_eq!(types(&told), ["state_changes.credited"]);
        let expected = json!({
            "license_id": told[0]["data"]["license_id"], "period_start": "2026-11-01T00:00:00.000000Z",
            "period_end": "2026-12-01T00:00:00.000000Z", "included": 100_000, "extra": 20_000, "used": 0,
            "balance": 120_000, "amount": 20_000, "source": "purchase",
        });
        assert_eq!((&told[0]["data"], &told[0]["actor"]["name"]), (&expected, &json!("Ann Lee")));

        // A program uses it up. The page that is open says so by itself.
        assert_eq!(it.reports_use(95_000).await.1["balance"], 25_000);
        browser.says("#balance", "25,000").await;
        let (status, answer) = it.reports_use(35_000).await;
        assert_eq!((status, &answer["balance"], &answer["exhausted"]), (200, &json!(-10_000), &json!(true)));
        browser.says("#balance", "−10,000").await;
        browser.says(".balance", "Exhausted").await;
        browser.says("#used-number", "130,000").await;
        browser.see(".chart-use").await;
        browser.click(".more summary").await;
        browser.says(".table.plain tbody tr:first-child", "23 Nov 2026").await;
        browser.says(".table.plain tbody tr:first-child", "130,000").await;
        let told = it.delivered(1, 3).await;
        let threshold = "state_changes.threshold_reached";
        assert_eq!(types(&told), [threshold, threshold, "state_changes.exhausted"]);
        let crossed: Vec<_> = told.iter().map(|body| (&body["data"]["threshold"], &body["data"]["balance"])).collect();
        assert_eq!(crossed[..2], [(&json!(80), &json!(-10_000)), (&json!(90), &json!(-10_000))]);
        assert_eq!(told[0]["actor"], json!({"type": "api_key", "id": told[0]["actor"]["id"], "name": "Automation"}));
        browser.picture("license-exhausted").await;

        browser.click("#credit").await;
        browser.fill("#amount", "60000").await;
        browser.click("#source option[value=bonus]").await;
        browser.click(SUBMIT).await;
        browser.says("#balance", "50,000").await;
        let told = it.delivered(4, 2).await;
        assert_eq!(types(&told), ["state_changes.credited", "state_changes.replenished"]);
        assert_eq!((&told[0]["data"]["source"], &told[1]["data"]["balance"]), (&json!("bonus"), &json!(50_000)));
        assert_eq!(told[0]["correlation_id"], told[1]["correlation_id"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn change_thresholds_and_block_the_license() {
    journey(Kind::DESK, async |it: &Journey| {
        it.webhook(&it.receiver.url(), &["state_changes.*", "license.*"]).await;
        assert_eq!(it.reports_use(30_000).await.0, 200);
        let browser = &it.browser;
        browser.open("/license").await;
        browser.click("#change-thresholds").await;
        browser.fill("#thresholds", "95, 50").await;
        browser.click(SUBMIT).await;
        browser.says("#thresholds-error", "Are out of order: 50 must not come after 95.").await;
        browser.picture("license-thresholds").await;
        browser.fill("#thresholds", "50, 95").await;
        browser.click(SUBMIT).await;
        browser.says(TOAST, "The thresholds were changed.").await;
        browser.says(".thresholds .chip:nth-child(3)", "95 %").await;
        let told = it.delivered(0, 1).await;
        assert_eq!(types(&told), ["license.updated"]);
        assert_eq!(told[0]["data"]["previous"], json!({"thresholds": [80, 90]}));
        assert_eq!(told[0]["data"]["object"]["thresholds"], json!([50, 95]));

        browser.click("#edit").await;
        browser.fill("#plan", "Business").await;
        browser.fill("#included", "200,000").await;
        browser.click("#renews").await;
        browser.picture("license-edit").await;
        browser.click(SUBMIT).await;
        browser.says(TOAST, "The license was modified.").await;
        browser.says("#plan-name", "Business").await;
        browser.says("#balance", "170,000").await;
        let told = it.delivered(1, 1).await;
        let previous = json!({"plan": "Standard", "renews": true, "included": 100_000});
        assert_eq!((types(&told), &told[0]["data"]["previous"]), (vec!["license.updated"], &previous));

        browser.click("#block").await;
        browser.fill("#reason", "invoice overdue").await;
        browser.click(SUBMIT).await;
        browser.says(TOAST, "The license is blocked.").await;
        browser.says("#why", "Blocked: invoice overdue.").await;
        browser.picture("license-blocked").await;
        let (status, answer) = it.reports_use(1).await;
        assert_eq!((status, &answer["code"]), (409, &json!("license_blocked")));
        browser.click("#block").await;
        browser.says(TOAST, "The license can be used again.").await;
        browser.gone("#why").await;
        let told = it.delivered(2, 2).await;
        assert_eq!(types(&told), ["license.blocked", "license.unblocked"]);
        assert_eq!(
            (&told[0]["data"]["reason"], &told[0]["data"]["object"]["status"]),
            (&json!("invoice overdue"), &json!("blocked"))
        );
        assert_eq!(told[1]["data"]["previous"], json!({"status": "blocked"}));

        // The clock ends what doesn't renew.
        it.site.pass(std::time::Duration::from_hours(24));
        assert_eq!(types(&it.delivered(4, 1).await), ["license.expiring"]);
        it.site.pass(std::time::Duration::from_hours(7 * 24));
        assert_eq!(types(&it.delivered(5, 1).await), ["license.expired"]);
        browser.says("#why", "Expired").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_license_on_a_phone_and_without_scripts() {
    journey(Kind::PHONE, async |it: &Journey| {
        it.reports_use(87_654).await;
        let browser = &it.browser;
        browser.open("/license").await;
        browser.says(".balance", "80 % reached").await;
        let fits = "return document.documentElement.scrollWidth <= document.documentElement.clientWidth";
        browser.until(fits, vec![]).await;
        browser.picture("license-phone").await;
    })
    .await;
    journey(Kind::WITHOUT_SCRIPTS, async |it: &Journey| {
        let browser = &it.browser;
        browser.open("/license").await;
        browser.click("#credit").await;
        browser.at("/license/credit").await;
        browser.fill("#amount", "5").await;
        browser.click(SUBMIT).await;
        browser.at("/license").await;
        browser.says("#balance", "100,005").await;
    })
    .await;
}
