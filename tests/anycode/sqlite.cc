// tests/anycode/sqlite.cc: one database in WAL mode, a connection for each worker.
#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <string>

#include "gort/tests/anycode/families.h"
#include "gort/tests/anycode/row.h"
#include "gort/tests/anycode/scratch_dir.h"

namespace anycode {
namespace {

class Connection {
 public:
  explicit Connection(const std::string& path) {
    ExpectEq(SQLITE_OK, sqlite3_open(path.c_str(), &db_), "sqlite3_open");
    sqlite3_busy_timeout(db_, 100'000);
  }
  ~Connection() { ExpectEq(SQLITE_OK, sqlite3_close(db_), "sqlite3_close"); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void Do(const std::string& sql) {
    const int got = sqlite3_exec(db_, sql.c_str(), nullptr, nullptr, nullptr);
    if (got != SQLITE_OK) Wrong("%s: %s", sql.c_str(), sqlite3_errmsg(db_));
  }
  // The first column of the only row.
  int64_t Ask(const std::string& sql) {
    sqlite3_stmt* statement = nullptr;
    ExpectEq(SQLITE_OK, sqlite3_prepare_v2(db_, sql.c_str(), -1, &statement, nullptr), sql.c_str());
    ExpectEq(SQLITE_ROW, sqlite3_step(statement), sql.c_str());
    const int64_t value = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return value;
  }

 private:
  sqlite3* db_ = nullptr;
};

// Each operation adds one to a number, and writes a row of the worker's; readers see both or none.
Task Wal(int) {
  struct Shared {
    ScratchDir dir;
    std::string path = dir.path() + "/db";
  };
  auto s = std::make_shared<Shared>();
  Connection first(s->path);
  first.Do("PRAGMA journal_mode=WAL");
  first.Do("PRAGMA synchronous=NORMAL");
  first.Do("CREATE TABLE total (n INTEGER)");
  first.Do("INSERT INTO total VALUES (0)");
  first.Do("CREATE TABLE entries (worker INTEGER, n INTEGER)");
  return {[s](Worker& w) {
            Connection mine(s->path);
            mine.Do("PRAGMA synchronous=NORMAL");
            const std::string index = std::to_string(w.index());
            while (w.Next()) {
              mine.Do("BEGIN IMMEDIATE");
              mine.Do("UPDATE total SET n = n + 1");
              mine.Do("INSERT INTO entries VALUES (" + index + ", 1)");
              mine.Do("COMMIT");
              const std::string difference =
                  "SELECT (SELECT n FROM total) - (SELECT count(*) FROM entries)";
              ExpectEq(0, mine.Ask(difference), "half of a transaction");
            }
          },
          [s](int64_t ops) {
            Connection last(s->path);
            ExpectEq(ops, last.Ask("SELECT n FROM total"), "the total");
            ExpectEq(ops, last.Ask("SELECT sum(n) FROM entries"), "the entries");
          }};
}

// One connection for all, which sqlite serialises by a recursive mutex.
Task SharedConnection(int) {
  auto db = std::make_shared<Connection>(":memory:");
  db->Do("CREATE TABLE total (n INTEGER)");
  db->Do("INSERT INTO total VALUES (0)");
  return {[db](Worker& w) {
            while (w.Next()) db->Do("UPDATE total SET n = n + 1");
          },
          [db](int64_t ops) { ExpectEq(ops, db->Ask("SELECT n FROM total"), "the total"); }};
}

}  // namespace

Family Sqlite() { return {"sqlite", {{"sqlite_wal", Wal}, {"sqlite_shared", SharedConnection}}}; }

}  // namespace anycode
