// apps/respd/store.h: the keys and values of respd, and what of them goes to the log.
// What      a map in the order of a hash of the key, so that a SCAN cursor is a place in that
//           order: a key that is there from the scan's first step to its last is returned exactly
//           once, whatever happens to others meanwhile.
// Locking   none: the caller serialises.
#ifndef GORT_APPS_RESPD_STORE_H_
#define GORT_APPS_RESPD_STORE_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"

namespace respd {

// Limits that keep a match of one key, and one step of a scan, short: a command holds up the other
// clients.
inline constexpr size_t kMaxKey = 16 << 10;
inline constexpr size_t kMaxPattern = 256;

// Glob patterns as Redis has them: * ? [a-c] [^a-c] \x. In time proportional to both lengths'
// product.
bool GlobMatch(std::string_view pattern, std::string_view text);

class Store {
 public:
  struct Value {
    std::string data;
    int64_t expires_ms = 0;  // since the Unix epoch; 0: never
  };

  // Null: not there, or expired at now_ms.
  const Value* Get(std::string_view key, int64_t now_ms);
  // These return the record for the log.
  std::string Set(std::string_view key, std::string_view data, int64_t expires_ms);
  std::string SetExpiry(std::string_view key, int64_t expires_ms);
  std::string Delete(std::string_view key);
  // Looks at one key or more from `cursor` on, about `count` unless there are no more or that is
  // too much work; returns the next cursor, 0 at the end.
  uint64_t Scan(uint64_t cursor, int64_t count, int64_t now_ms, std::string_view pattern,
                std::vector<std::string_view>* keys);
  size_t size() const { return map_.size(); }

  // Does what a record says. False: the record is not one of ours.
  bool Replay(std::string_view record);
  // Records for what there is, from `cursor` on (0: from the begin), of about so many bytes; returns
  // the next cursor, 0 at the end. A key that changes between two steps is put as it was or as it
  // is; the records of its changes, put in their order, make up for it.
  uint64_t Dump(uint64_t cursor, int64_t now_ms, int64_t bytes,
                const std::function<void(std::string_view)>& put) const;
  // Of the records for everything there is.
  int64_t bytes() const { return bytes_; }
  // Forgets expired keys, those first that expired first, in at most n steps of a search each. Keys
  // that have not expired are not looked at.
  void Sweep(int64_t now_ms, int n);

 private:
  using Key = std::pair<uint64_t, std::string>;
  using KeyView = std::pair<uint64_t, std::string_view>;
  struct Less {
    using is_transparent = void;
    template <class A, class B>
    bool operator()(const A& a, const B& b) const {
      if (a.first != b.first) return a.first < b.first;
      return std::string_view(a.second) < std::string_view(b.second);
    }
  };
  using Map = absl::btree_map<Key, Value, Less>;
  static KeyView ViewOf(std::string_view key);
  void SetExpiryOf(Map::iterator it, int64_t expires_ms);
  // An entry less of expiring_.
  void Unlist(int64_t expires_ms, uint64_t hash);
  Map::iterator Erase(Map::iterator it);

  static int64_t RecordSize(size_t key, size_t data);

  Map map_;
  int64_t bytes_ = 0;
  // Expiry and hash of each key that expires.
  absl::btree_multiset<std::pair<int64_t, uint64_t>> expiring_;
};

}  // namespace respd

#endif  // GORT_APPS_RESPD_STORE_H_
