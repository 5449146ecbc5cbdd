// tests/anycode/lmdb.cc: LMDB, whose readers have a place for each thread, and whose one writer holds a
// robust mutex.
#include <lmdb.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "gort/tests/anycode/families.h"
#include "gort/tests/anycode/row.h"
#include "gort/tests/anycode/scratch_dir.h"

namespace anycode {
namespace {

void ExpectDone(int status, const char* call) {
  if (status != 0) Wrong("%s: %s", call, mdb_strerror(status));
}

class Store {
 public:
  explicit Store(unsigned flags) {
    ExpectDone(mdb_env_create(&env_), "mdb_env_create");
    ExpectDone(mdb_env_set_maxreaders(env_, 5000), "mdb_env_set_maxreaders");
    ExpectDone(mdb_env_set_mapsize(env_, size_t{1} << 26), "mdb_env_set_mapsize");
    ExpectDone(mdb_env_open(env_, folder_.path().c_str(), flags | MDB_NOSYNC, 0600),
               "mdb_env_open");
    MDB_txn* txn = Begin(0);
    ExpectDone(mdb_dbi_open(txn, nullptr, MDB_INTEGERKEY, &dbi_), "mdb_dbi_open");
    ExpectDone(mdb_txn_commit(txn), "mdb_txn_commit");
  }
  ~Store() { mdb_env_close(env_); }
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  MDB_txn* Begin(unsigned flags) {
    MDB_txn* txn = nullptr;
    ExpectDone(mdb_txn_begin(env_, nullptr, flags, &txn), "mdb_txn_begin");
    return txn;
  }
  int64_t Get(MDB_txn* txn, unsigned key) const {
    MDB_val k = {sizeof(key), &key};
    MDB_val v = {};
    const int status = mdb_get(txn, dbi_, &k, &v);
    if (status == MDB_NOTFOUND) return 0;
    ExpectDone(status, "mdb_get");
    return status == 0 ? *static_cast<int64_t*>(v.mv_data) : -1;
  }
  void Put(MDB_txn* txn, unsigned key, int64_t value) const {
    MDB_val k = {sizeof(key), &key};
    MDB_val v = {sizeof(value), &value};
    ExpectDone(mdb_put(txn, dbi_, &k, &v, 0), "mdb_put");
  }

 private:
  ScratchDir folder_;
  MDB_env* env_ = nullptr;
  MDB_dbi dbi_ = 0;
};

// Two numbers that are equal in every transaction, and count the writes.
template <unsigned kFlags>
Task Transactions(int) {
  auto s = std::make_shared<Store>(kFlags);
  auto writes = std::make_shared<std::atomic<int64_t>>(0);
  return {[s, writes](Worker& w) {
            for (int i = w.index(); w.Next(); ++i) {
              if (i % 4 == 0) {
                MDB_txn* txn = s->Begin(0);
                if (txn == nullptr) return;
                s->Put(txn, 1, s->Get(txn, 1) + 1);
                Burn(10);
                s->Put(txn, 2, s->Get(txn, 2) + 1);
                ExpectDone(mdb_txn_commit(txn), "mdb_txn_commit");
                writes->fetch_add(1);
              } else {
                MDB_txn* txn = s->Begin(MDB_RDONLY);
                if (txn == nullptr) return;
                const int64_t first = s->Get(txn, 1);
                Burn(10);
                ExpectEq(first, s->Get(txn, 2), "the second number");
                mdb_txn_abort(txn);
              }
            }
          },
          [s, writes](int64_t) {
            MDB_txn* txn = s->Begin(MDB_RDONLY);
            ExpectEq(writes->load(), s->Get(txn, 1), "the writes");
            mdb_txn_abort(txn);
          }};
}

}  // namespace

Family Lmdb() {
  return {"lmdb",
          {{"lmdb_by_thread", Transactions<0>}, {"lmdb_by_transaction", Transactions<MDB_NOTLS>}}};
}

}  // namespace anycode
