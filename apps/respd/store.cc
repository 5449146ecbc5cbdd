#include "gort/apps/respd/store.h"

#include <cstring>

namespace respd {
namespace {

// A record: one letter, the expiry or 0 (8 bytes, little-endian), the key's length (4 bytes), the
// key, the value.
constexpr char kSet = 'S';
constexpr char kExpire = 'E';
constexpr char kDelete = 'D';
constexpr size_t kHead = 1 + 8 + 4;

// A step of a scan ends when its keys, each as often as the pattern may compare it, have more bytes
// than this.
constexpr size_t kScanWork = kMaxKey * kMaxPattern;

std::string Record(char op, int64_t expires_ms, std::string_view key, std::string_view data) {
  std::string r(1, op);
  for (int i = 0; i < 8; ++i) r += static_cast<char>(static_cast<uint64_t>(expires_ms) >> (8 * i));
  for (int i = 0; i < 4; ++i) r += static_cast<char>(key.size() >> (8 * i));
  r.append(key).append(data);
  return r;
}

uint64_t Little(const char* p, int n) {
  uint64_t v = 0;
  for (int i = 0; i < n; ++i) v |= uint64_t{static_cast<unsigned char>(p[i])} << (8 * i);
  return v;
}

bool Expired(int64_t expires_ms, int64_t now_ms) { return expires_ms != 0 && expires_ms <= now_ms; }

// True when c is in the class that begins behind the '[' at pattern[*at - 1]; *at moves behind it.
bool InClass(std::string_view pattern, size_t* at, char c) {
  bool negated = false;
  if (*at < pattern.size() && pattern[*at] == '^') {
    negated = true;
    ++*at;
  }
  bool in = false;
  while (*at < pattern.size() && pattern[*at] != ']') {
    if (pattern[*at] == '\\' && *at + 1 < pattern.size()) ++*at;
    char low = pattern[*at];
    char high = low;
    if (*at + 2 < pattern.size() && pattern[*at + 1] == '-' && pattern[*at + 2] != ']') {
      high = pattern[*at + 2];
      *at += 2;
    }
    if (low > high) std::swap(low, high);
    if (low <= c && c <= high) in = true;
    ++*at;
  }
  if (*at < pattern.size()) ++*at;
  return in != negated;
}

// One step of the pattern at *at, which is no star, against c; *at moves behind it.
bool MatchOne(std::string_view pattern, size_t* at, char c) {
  const char p = pattern[(*at)++];
  if (p == '?') return true;
  if (p == '[') return InClass(pattern, at, c);
  if (p == '\\' && *at < pattern.size()) return pattern[(*at)++] == c;
  return p == c;
}

}  // namespace

// When the rest does not match, it is enough to try again from the last star: what came before that
// star has matched as early as it can.
bool GlobMatch(std::string_view pattern, std::string_view text) {
  size_t p = 0;
  size_t t = 0;
  size_t star = pattern.npos;
  size_t star_text = 0;
  while (t < text.size()) {
    size_t next = p;
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      star_text = t;
    } else if (p < pattern.size() && MatchOne(pattern, &next, text[t])) {
      p = next;
      ++t;
    } else if (star != pattern.npos) {
      p = star + 1;
      t = ++star_text;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

// FNV-1a with a final mix. Never 0, which is a scan's begin and end.
Store::KeyView Store::ViewOf(std::string_view key) {
  uint64_t h = 0xcbf29ce484222325u;
  for (char c : key) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  h ^= h >> 32;
  h *= 0x9e3779b97f4a7c15u;
  h ^= h >> 29;
  return {h != 0 ? h : 1, key};
}

void Store::Unlist(int64_t expires_ms, uint64_t hash) {
  if (expires_ms != 0) expiring_.erase(expiring_.find({expires_ms, hash}));
}

void Store::SetExpiryOf(Map::iterator it, int64_t expires_ms) {
  Unlist(it->second.expires_ms, it->first.first);
  it->second.expires_ms = expires_ms;
  if (expires_ms != 0) expiring_.emplace(expires_ms, it->first.first);
}

int64_t Store::RecordSize(size_t key, size_t data) {
  return static_cast<int64_t>(kHead + key + data);
}

Store::Map::iterator Store::Erase(Map::iterator it) {
  bytes_ -= RecordSize(it->first.second.size(), it->second.data.size());
  Unlist(it->second.expires_ms, it->first.first);
  return map_.erase(it);
}

const Store::Value* Store::Get(std::string_view key, int64_t now_ms) {
  auto it = map_.find(ViewOf(key));
  if (it == map_.end()) return nullptr;
  if (!Expired(it->second.expires_ms, now_ms)) return &it->second;
  Erase(it);  // the log knows when it expires
  return nullptr;
}

std::string Store::Set(std::string_view key, std::string_view data, int64_t expires_ms) {
  const KeyView view = ViewOf(key);
  auto it = map_.find(view);
  if (it == map_.end()) {
    it = map_.try_emplace(Key(view.first, std::string(key))).first;
    bytes_ += RecordSize(key.size(), 0);
  }
  bytes_ += static_cast<int64_t>(data.size()) - static_cast<int64_t>(it->second.data.size());
  it->second.data.assign(data);
  SetExpiryOf(it, expires_ms);
  return Record(kSet, expires_ms, key, data);
}

std::string Store::SetExpiry(std::string_view key, int64_t expires_ms) {
  if (auto it = map_.find(ViewOf(key)); it != map_.end()) SetExpiryOf(it, expires_ms);
  return Record(kExpire, expires_ms, key, {});
}

std::string Store::Delete(std::string_view key) {
  if (auto it = map_.find(ViewOf(key)); it != map_.end()) Erase(it);
  return Record(kDelete, 0, key, {});
}

uint64_t Store::Scan(uint64_t cursor, int64_t count, int64_t now_ms, std::string_view pattern,
                     std::vector<std::string_view>* keys) {
  auto it = map_.lower_bound(KeyView(cursor, {}));
  uint64_t last = 0;
  size_t work = 0;
  for (int64_t seen = 0; it != map_.end(); ++it, ++seen) {
    // Keys of one hash stay together: the cursor says no more than the hash.
    if ((seen >= count || work >= kScanWork) && it->first.first != last) return it->first.first;
    last = it->first.first;
    work += it->first.second.size() * (pattern.size() + 1);
    if (Expired(it->second.expires_ms, now_ms)) continue;
    if (pattern.empty() || GlobMatch(pattern, it->first.second)) keys->push_back(it->first.second);
  }
  return 0;
}

bool Store::Replay(std::string_view record) {
  if (record.size() < kHead) return false;
  const auto expires = static_cast<int64_t>(Little(record.data() + 1, 8));
  const size_t key_size = Little(record.data() + 9, 4);
  if (record.size() - kHead < key_size) return false;
  const std::string_view key = record.substr(kHead, key_size);
  const std::string_view data = record.substr(kHead + key_size);
  switch (record[0]) {
    case kSet:
      Set(key, data, expires);
      return true;
    case kExpire:
      SetExpiry(key, expires);
      return true;
    case kDelete:
      Delete(key);
      return true;
    default:
      return false;
  }
}

uint64_t Store::Dump(uint64_t cursor, int64_t now_ms, int64_t bytes,
                     const std::function<void(std::string_view)>& put) const {
  uint64_t last = 0;
  for (auto it = map_.lower_bound(KeyView(cursor, {})); it != map_.end(); ++it) {
    const auto& [key, value] = *it;
    // Keys of one hash stay together, as in Scan.
    if (bytes <= 0 && key.first != last) return key.first;
    last = key.first;
    bytes -= RecordSize(key.second.size(), value.data.size());
    if (!Expired(value.expires_ms, now_ms)) {
      put(Record(kSet, value.expires_ms, key.second, value.data));
    }
  }
  return 0;
}

void Store::Sweep(int64_t now_ms, int n) {
  for (; n > 0 && !expiring_.empty() && Expired(expiring_.begin()->first, now_ms); --n) {
    const auto [expires_ms, hash] = *expiring_.begin();
    auto it = map_.lower_bound(KeyView(hash, {}));
    while (it->second.expires_ms != expires_ms) ++it;  // a key of the same hash
    Erase(it);
  }
}

}  // namespace respd
