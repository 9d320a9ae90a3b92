// pgjdbc: batches, fetch size, server-prepared statements, COPY, generated keys, cancel, notifications, metadata.
// Run as `java -cp postgresql.jar ClientJdbc.java`. Prints `ok NAME` / `not ok NAME: why`.

import java.io.StringReader;
import java.io.StringWriter;
import java.math.BigDecimal;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Savepoint;
import java.sql.Statement;
import java.util.Arrays;
import java.util.Objects;
import java.util.Properties;
import org.postgresql.PGConnection;

public class ClientJdbc {
    interface Check {
        void run() throws Exception;
    }

    static int failed = 0;
    static final int ROWS = 100_000;

    static Connection connect(String... more) throws Exception {
        String database = URLEncoder.encode(env("PGDATABASE"), StandardCharsets.UTF_8);
        Properties properties = new Properties();
        properties.setProperty("user", env("PGUSER"));
        properties.setProperty("password", env("PGPASSWORD"));
        properties.setProperty("sslmode", env("PGSSLMODE"));
        if (System.getenv("PGSSLROOTCERT") != null) {
            properties.setProperty("sslrootcert", env("PGSSLROOTCERT"));
        }
        for (int at = 0; at + 1 < more.length; at += 2) {
            properties.setProperty(more[at], more[at + 1]);
        }
        return DriverManager.getConnection("jdbc:postgresql://" + env("PGHOST") + ":" + env("PGPORT") + "/" + database, properties);
    }

    static String env(String name) {
        return Objects.requireNonNull(System.getenv(name), name);
    }

    static void check(String name, Check check) {
        try {
            check.run();
            System.out.println("ok " + name);
        } catch (Throwable error) {
            failed++;
            System.out.println("not ok " + name + ": " + String.valueOf(error).replaceAll("\\s+", " "));
        }
    }

    static void expect(Object got, Object want) {
        if (!Objects.equals(got, want)) {
            throw new AssertionError("got " + got + ", want " + want);
        }
    }

    static Object one(Connection c, String sql) throws SQLException {
        try (Statement s = c.createStatement(); ResultSet r = s.executeQuery(sql)) {
            r.next();
            return r.getObject(1);
        }
    }

    static void fails(String state, Check check) throws Exception {
        try {
            check.run();
        } catch (SQLException error) {
            expect(error.getSQLState(), state);
            return;
        }
        throw new AssertionError("no error");
    }

    static void transactions() throws Exception {
        try (Connection c = connect(); Statement s = c.createStatement()) {
            s.execute("CREATE TABLE tx(n int)");
            c.setAutoCommit(false);
            s.execute("INSERT INTO tx VALUES (1)");
            Savepoint savepoint = c.setSavepoint();
            s.execute("INSERT INTO tx VALUES (2)");
            c.rollback(savepoint);
            c.commit();
            s.execute("INSERT INTO tx VALUES (3)");
            c.rollback();
            expect(one(c, "SELECT sum(n)::int FROM tx"), 1);
            c.commit();
            c.setTransactionIsolation(Connection.TRANSACTION_SERIALIZABLE);
            c.commit();
            c.setReadOnly(true);
            expect(one(c, "SELECT 1"), 1);
            c.commit();
        }
    }

    static void preparedManyTimes(String... more) throws Exception {
        try (Connection c = connect(more); PreparedStatement s = c.prepareStatement("SELECT ?::int + 1")) {
            for (int n = 0; n < 500; n++) {
                s.setInt(1, n);
                try (ResultSet r = s.executeQuery()) {
                    r.next();
                    expect(r.getInt(1), n + 1);
                }
            }
        }
    }

    static void errorsAndRecovery() throws Exception {
        try (Connection c = connect(); Statement s = c.createStatement()) {
            fails("22012", () -> s.executeQuery("SELECT 1 / 0"));
            expect(one(c, "SELECT 1"), 1);
            c.setAutoCommit(false);
            fails("42703", () -> s.executeQuery("SELECT nothing"));
            fails("25P02", () -> s.executeQuery("SELECT 1"));
            c.rollback();
            expect(one(c, "SELECT 1"), 1);
        }
    }

    static void batches(String... more) throws Exception {
        try (Connection c = connect(more); Statement s = c.createStatement()) {
            s.execute("DROP TABLE IF EXISTS b; CREATE TABLE b(n int PRIMARY KEY, s text)");
            try (PreparedStatement p = c.prepareStatement("INSERT INTO b VALUES (?, ?)")) {
                for (int n = 0; n < 2000; n++) {
                    p.setInt(1, n);
                    p.setString(2, n % 3 == 0 ? null : "line " + n);
                    p.addBatch();
                }
                expect(p.executeBatch().length, 2000);
            }
            expect(one(c, "SELECT count(*)::int FROM b"), 2000);
            c.setAutoCommit(false);
            s.addBatch("INSERT INTO b VALUES (5000, 'x')");
            s.addBatch("INSERT INTO b VALUES (1, 'x')");
            s.addBatch("INSERT INTO b VALUES (5001, 'x')");
            fails("23505", s::executeBatch);
            c.rollback();
            expect(one(c, "SELECT count(*)::int FROM b"), 2000);
        }
    }

    static void largeResult() throws Exception {
        try (Connection c = connect(); Statement s = c.createStatement();
                ResultSet r = s.executeQuery("SELECT n, repeat('x', 40) FROM generate_series(1, " + ROWS + ") n")) {
            int count = 0;
            while (r.next()) {
                count++;
            }
            expect(count, ROWS);
        }
    }

    static void partialFetches() throws Exception {
        try (Connection c = connect(); Statement s = c.createStatement()) {
            c.setAutoCommit(false);
            s.setFetchSize(100);
            long sum = 0;
            try (ResultSet r = s.executeQuery("SELECT n FROM generate_series(1, 10000) n")) {
                while (r.next()) {
                    sum += r.getInt(1);
                }
            }
            expect(sum, 50005000L);
            try (ResultSet r = s.executeQuery("SELECT n FROM generate_series(1, 10000) n")) {
                r.next();
            }
            expect(one(c, "SELECT 1"), 1);
            c.commit();
        }
    }

    static void types() throws Exception {
        try (Connection c = connect("prepareThreshold", "1");
                PreparedStatement p = c.prepareStatement("SELECT ?::text, ?::bool, ?::int8, ?::numeric, ?::bytea, ?::int[], ?::timestamptz")) {
            for (int round = 0; round < 7; round++) {
                p.setString(1, null);
                p.setBoolean(2, true);
                p.setLong(3, 1L << 40);
                p.setBigDecimal(4, new BigDecimal("12345.678"));
                p.setBytes(5, new byte[] {0, -1});
                p.setArray(6, c.createArrayOf("int4", new Integer[] {1, null, 3}));
                p.setTimestamp(7, new java.sql.Timestamp(0));
                try (ResultSet r = p.executeQuery()) {
                    r.next();
                    expect(r.getString(1), null);
                    expect(r.getBoolean(2), true);
                    expect(r.getLong(3), 1L << 40);
                    expect(r.getBigDecimal(4), new BigDecimal("12345.678"));
                    expect(Arrays.toString(r.getBytes(5)), "[0, -1]");
                    expect(Arrays.toString((Object[]) r.getArray(6).getArray()), "[1, null, 3]");
                    expect(r.getTimestamp(7).getTime(), 0L);
                }
            }
        }
    }

    static void copies() throws Exception {
        try (Connection c = connect(); Statement s = c.createStatement()) {
            s.execute("CREATE TABLE c(n int, s text)");
            StringBuilder text = new StringBuilder();
            for (int n = 0; n < 5000; n++) {
                text.append(n).append("\tline ").append(n).append('\n');
            }
            var copy = c.unwrap(PGConnection.class).getCopyAPI();
            expect(copy.copyIn("COPY c FROM STDIN", new StringReader(text.toString())), 5000L);
            StringWriter out = new StringWriter();
            expect(copy.copyOut("COPY (SELECT * FROM c ORDER BY n) TO STDOUT", out), 5000L);
            expect(out.toString(), text.toString());
            try {
                copy.copyIn("COPY c FROM STDIN", new StringReader("one\tx\n"));
                throw new AssertionError("no error");
            } catch (SQLException error) {
                expect(error.getSQLState(), "22P02");
            }
            expect(one(c, "SELECT count(*)::int FROM c"), 5000);
        }
    }

    static void generatedKeys() throws Exception {
        try (Connection c = connect(); Statement s = c.createStatement()) {
            s.execute("CREATE TABLE k(id serial, n int)");
            try (PreparedStatement p = c.prepareStatement("INSERT INTO k(n) VALUES (?)", Statement.RETURN_GENERATED_KEYS)) {
                p.setInt(1, 5);
                p.executeUpdate();
                ResultSet keys = p.getGeneratedKeys();
                keys.next();
                expect(keys.getInt("id"), 1);
            }
        }
    }

    static void cancels() throws Exception {
        try (Connection c = connect(); Statement s = c.createStatement()) {
            s.setQueryTimeout(1);
            long start = System.nanoTime();
            fails("57014", () -> s.executeQuery("SELECT pg_sleep(30)"));
            if (System.nanoTime() - start > 10_000_000_000L) {
                throw new AssertionError("late");
            }
            expect(one(c, "SELECT 1"), 1);
        }
    }

    static void notifications() throws Exception {
        try (Connection listener = connect(); Connection sender = connect(); Statement l = listener.createStatement(); Statement s = sender.createStatement()) {
            l.execute("LISTEN ch");
            s.execute("NOTIFY ch, 'paid'");
            var got = listener.unwrap(PGConnection.class).getNotifications(10_000);
            expect(got.length, 1);
            expect(got[0].getParameter(), "paid");
        }
    }

    static void masksAndRules() throws Exception {
        try (Connection c = connect("prepareThreshold", "2")) {
            for (int n = 0; n < 5; n++) {
                try (PreparedStatement person = c.prepareStatement("SELECT id, name, email, born, note FROM people WHERE id = ?")) {
                    person.setInt(1, 2);
                    ResultSet r = person.executeQuery();
                    expect(r.next(), true);
                    expect(Arrays.asList(r.getInt(1), r.getString(2), r.getString(3), r.getString(5)),
                        Arrays.asList(2, "name 2", env("SUITE_EMAIL"), env("SUITE_NOTE")));
                    expect(r.getDate(4) == null ? "" : r.getDate(4).toString(), env("SUITE_BORN"));
                }
            }
            fails("42501", () -> one(c, "SELECT * FROM payroll"));
        }
    }

    static void metadata() throws Exception {
        try (Connection c = connect(); Statement s = c.createStatement()) {
            s.execute("CREATE TABLE m(id int PRIMARY KEY, name varchar(20) NOT NULL); CREATE INDEX m_name ON m(name)");
            var meta = c.getMetaData();
            ResultSet tables = meta.getTables(null, "public", "m", new String[] {"TABLE"});
            expect(tables.next(), true);
            ResultSet columns = meta.getColumns(null, "public", "m", "%");
            columns.next();
            expect(columns.getString("COLUMN_NAME"), "id");
            expect(meta.getPrimaryKeys(null, "public", "m").next(), true);
            expect(meta.getIndexInfo(null, "public", "m", false, false).next(), true);
            expect(meta.getTypeInfo().next(), true);
            meta.getFunctions(null, "pg_catalog", "lower").next();
        }
    }

    public static void main(String[] args) {
        check("transactions", ClientJdbc::transactions);
        check("prepared_many_times", ClientJdbc::preparedManyTimes);
        check("simple_protocol", () -> preparedManyTimes("preferQueryMode", "simple"));
        check("errors_and_recovery", ClientJdbc::errorsAndRecovery);
        check("batches", ClientJdbc::batches);
        check("rewritten_batches", () -> batches("reWriteBatchedInserts", "true"));
        check("autosave", () -> batches("autosave", "always"));
        check("large_result", ClientJdbc::largeResult);
        check("partial_fetches", ClientJdbc::partialFetches);
        check("types_text_then_binary", ClientJdbc::types);
        check("copies", ClientJdbc::copies);
        check("generated_keys", ClientJdbc::generatedKeys);
        check("cancels", ClientJdbc::cancels);
        check("notifications", ClientJdbc::notifications);
        check("metadata", ClientJdbc::metadata);
        check("masks_and_rules", ClientJdbc::masksAndRules);
        System.exit(failed > 0 ? 1 : 0);
    }
}
