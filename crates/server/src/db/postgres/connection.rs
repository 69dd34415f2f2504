//! A connection, and how statements travel over it.
//!
//! A round trip to a server is longer than most statements take. So a statement is prepared once in the life of a connection, with its
//! plan, and the `BEGIN` of a transaction travels together with its first statement.
//!
//! Behind a pooler in transaction mode the next transaction may be on another connection of the server's, which knows nothing
//! of statements that were prepared on the last. There each is sent whole, unnamed, with the types of its parameters, in a round
//! trip of its own; the server plans it anew.

use std::{pin::pin, sync::Arc};

use deadpool_postgres::Object;
use futures_util::future::join;
use tokio_postgres::types::{ToSql, Type};

use super::super::{DbError, Row, Value, dialect::Column};

type Parameter<'a> = &'a (dyn ToSql + Sync);

/// See the module.
pub struct Connection {
    object: Object,
    keeps_statements: bool,
    /// Whether a transaction begins with the next statement.
    begins: bool,
}

impl Connection {
    pub(super) fn new(object: Object, keeps_statements: bool) -> Self {
        Self { object, keeps_statements, begins: false }
    }

    /// Begins a transaction with the next statement.
    pub(super) fn begin(&mut self) {
        self.begins = true;
    }

    /// Ends it, instead of giving it back to the pool.
    pub(super) fn close(self) {
        drop(Object::take(self.object));
    }

    pub(in super::super) async fn query(&mut self, sql: &str, values: &[Value]) -> Result<Vec<Row>, DbError> {
        let client = &self.object;
        let keeps_statements = self.keeps_statements;
        let statement = async {
            if keeps_statements {
                let statement = client.prepare_cached(sql).await?;
                let parameters: Vec<Parameter<'_>> = values.iter().map(|value| value as Parameter<'_>).collect();
                let rows = client.query(&statement, &parameters).await?;
                Ok((rows, statement.columns().iter().map(|column| column.name().to_owned()).collect()))
            } else {
                let parameters: Vec<_> = values.iter().map(|value| (value as Parameter<'_>, type_of(value))).collect();
                let rows = client.query_typed(sql, &parameters).await?;
                let names = |row: &tokio_postgres::Row| row.columns().iter().map(|it| it.name().to_owned()).collect();
                let names = rows.first().map_or_else(|| Arc::from([]), names);
                Ok((rows, names))
            }
        };
        let (rows, columns): (_, Arc<[String]>) = sent(client, &mut self.begins, statement).await?;
        rows.iter().map(|row| to_row(row, &columns)).collect()
    }

    pub(in super::super) async fn execute(&mut self, sql: &str, values: &[Value]) -> Result<u64, DbError> {
        let parameters = values.iter().map(|value| (value as Parameter<'_>, type_of(value)));
        self.run(sql, parameters.collect()).await
    }

    /// Runs a statement in which each parameter is an array, with a value for each row.
    pub(in super::super) async fn many(
        &mut self,
        sql: &str,
        kinds: &[Column],
        rows: Vec<Vec<Value>>,
    ) -> Result<u64, DbError> {
        let mut columns: Vec<Vec<Value>> = kinds.iter().map(|_| Vec::with_capacity(rows.len())).collect();
        for row in rows {
            for (column, value) in columns.iter_mut().zip(row) {
                column.push(value);
            }
        }
        let arrays: Vec<(Box<dyn ToSql + Sync + Send>, Type)> =
            columns.into_iter().zip(kinds).map(|(values, kind)| array(values, *kind)).collect();
        let parameters = arrays.iter().map(|(array, ty)| (array.as_ref() as Parameter<'_>, ty.clone()));
        self.run(sql, parameters.collect()).await
    }

    /// Runs statements that have no parameters.
    pub(in super::super) async fn script(&mut self, sql: &str) -> Result<(), DbError> {
        let client = &self.object;
        sent(client, &mut self.begins, client.batch_execute(sql)).await
    }

    async fn run(&mut self, sql: &str, parameters: Vec<(Parameter<'_>, Type)>) -> Result<u64, DbError> {
        let client = &self.object;
        let keeps_statements = self.keeps_statements;
        let statement = async {
            if keeps_statements {
                let statement = client.prepare_cached(sql).await?;
                let parameters: Vec<Parameter<'_>> = parameters.iter().map(|(parameter, _)| *parameter).collect();
                client.execute(&statement, &parameters).await
            } else {
                client.execute_typed(sql, &parameters).await
            }
        };
        sent(client, &mut self.begins, statement).await
    }
}

/// Waits for a statement, and sends the `BEGIN` just before it when a transaction begins. An idle connection that lives never refuses
/// to begin one; if somebody should cancel just that, the statement has run on its own, which is why transactions begin with what
/// they read.
async fn sent<T>(
    client: &Object,
    begins: &mut bool,
    statement: impl Future<Output = Result<T, tokio_postgres::Error>> + Send,
) -> Result<T, DbError> {
    let statement = pin!(statement);
    if std::mem::take(begins) {
        // What is polled first is sent first.
        let (begun, result) = join(client.batch_execute("BEGIN"), statement).await;
        begun?;
        return Ok(result?);
    }
    Ok(statement.await?)
}

fn to_row(row: &tokio_postgres::Row, columns: &Arc<[String]>) -> Result<Row, DbError> {
    let mut values = Vec::with_capacity(columns.len());
    for (index, column) in row.columns().iter().enumerate() {
        values.push(match *column.type_() {
            Type::INT8 => row.try_get::<_, Option<i64>>(index)?.into(),
            Type::INT4 => row.try_get::<_, Option<i32>>(index)?.into(),
            Type::BOOL => row.try_get::<_, Option<bool>>(index)?.into(),
            Type::BYTEA => row.try_get::<_, Option<Vec<u8>>>(index)?.into(),
            _ => row.try_get::<_, Option<String>>(index)?.into(),
        });
    }
    Ok(Row { columns: Arc::clone(columns), values })
}

/// The type by which a value travels unnamed; the server finds out that of a null.
fn type_of(value: &Value) -> Type {
    match value {
        Value::Null => Type::UNKNOWN,
        Value::Int(_) => Type::INT8,
        Value::Text(_) => Type::TEXT,
        Value::Bytes(_) => Type::BYTEA,
    }
}

fn array(values: Vec<Value>, column: Column) -> (Box<dyn ToSql + Sync + Send>, Type) {
    match column {
        Column::Int => {
            let of = |value| if let Value::Int(it) = value { Some(it) } else { None };
            (Box::new(values.into_iter().map(of).collect::<Vec<_>>()), Type::INT8_ARRAY)
        }
        Column::Text => {
            let of = |value| if let Value::Text(it) = value { Some(it) } else { None };
            (Box::new(values.into_iter().map(of).collect::<Vec<_>>()), Type::TEXT_ARRAY)
        }
        Column::Bytes => {
            let of = |value| if let Value::Bytes(it) = value { Some(it) } else { None };
            (Box::new(values.into_iter().map(of).collect::<Vec<_>>()), Type::BYTEA_ARRAY)
        }
    }
}
