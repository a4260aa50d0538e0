//! Rows as the database has them, read without any of Billfold's code: every table, every column, as JSON.

use anyhow::Context as _;
use diesel::connection::SimpleConnection as _;
use diesel::{Connection as _, RunQueryDsl as _, SqliteConnection};
use serde_json::Value;

#[derive(diesel::QueryableByName)]
struct Text {
    #[diesel(sql_type = diesel::sql_types::Text)]
    value: String,
}

/// The rows of a table; values of bytes are in hexadecimal.
pub(crate) async fn rows(database: &str, table: &str) -> anyhow::Result<Vec<Value>> {
    rows_where(database, table, "true").await
}

/// The rows of a table of which a condition holds.
pub(crate) async fn rows_where(database: &str, table: &str, condition: &str) -> anyhow::Result<Vec<Value>> {
    let texts = if let Some(path) = database.strip_prefix("sqlite://") {
        let columns = format!("SELECT name || ' ' || type AS value FROM pragma_table_info('{table}')");
        let columns = sqlite(path, &columns)?;
        let pairs: Vec<String> = columns
            .iter()
            .map(|column| match column.split_once(' ') {
                Some((name, "BLOB")) => format!("'{name}', hex({name})"),
                Some((name, _)) => format!("'{name}', {name}"),
                None => String::new(),
            })
            .collect();
        let pairs = pairs.join(", ");
        sqlite(path, &format!("SELECT json_object({pairs}) AS value FROM {table} WHERE {condition}"))?
    } else {
        postgres(database, &format!("SELECT to_jsonb(t)::text FROM {table} t WHERE {condition}")).await?
    };
    texts.iter().map(|text| serde_json::from_str(text).context("a row is no JSON")).collect()
}

/// The names of all tables.
pub(crate) async fn tables(database: &str) -> anyhow::Result<Vec<String>> {
    match database.strip_prefix("sqlite://") {
        Some(path) => sqlite(path, "SELECT name AS value FROM sqlite_master WHERE type = 'table'"),
        None => postgres(database, "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'").await,
    }
}

/// Changes rows past every rule of the database: no foreign key is looked at, and no trigger runs.
pub(crate) async fn damage(database: &str, statement: &str) -> anyhow::Result<()> {
    if let Some(path) = database.strip_prefix("sqlite://") {
        let mut conn = SqliteConnection::establish(path)?;
        // What is deleted here lies on in the file.
        conn.batch_execute(
            "PRAGMA busy_timeout = 10000; PRAGMA foreign_keys = OFF; PRAGMA secure_delete = OFF",
        )?;
        for trigger in sqlite(path, "SELECT name AS value FROM sqlite_master WHERE type = 'trigger'")? {
            conn.batch_execute(&format!("DROP TRIGGER {trigger}"))?;
        }
        return Ok(conn.batch_execute(statement)?);
    }
    let (client, connection) = tokio_postgres::connect(database, tokio_postgres::NoTls).await?;
    let act = async {
        let statement = format!("SET session_replication_role = replica; {statement}");
        let done = client.batch_execute(&statement).await;
        drop(client);
        done
    };
    let (done, ended) = tokio::join!(act, connection);
    ended?;
    Ok(done?)
}

fn sqlite(path: &str, query: &str) -> anyhow::Result<Vec<String>> {
    let mut conn = SqliteConnection::establish(path)?;
    conn.batch_execute("PRAGMA busy_timeout = 10000")?;
    let rows: Vec<Text> = diesel::sql_query(query).load(&mut conn)?;
    Ok(rows.into_iter().map(|row| row.value).collect())
}

async fn postgres(url: &str, query: &str) -> anyhow::Result<Vec<String>> {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await?;
    let ask = async {
        let rows = client.query(query, &[]).await;
        drop(client);
        rows
    };
    let (rows, ended) = tokio::join!(ask, connection);
    ended?;
    Ok(rows?.into_iter().map(|row| row.get(0)).collect())
}
