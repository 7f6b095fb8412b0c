/* The whole of what Python may see through cffi: the cold path. Meanings
   stand beside the C declarations. */

#define RA_RING_ID_SIZE 16
#define RA_PROJECT_SIZE 16
#define RA_HEAD_OFFSET ...
#define RA_CHECKED ...
#define RA_SOUND ...
#define RA_BAD_SIZE ...
#define RA_BAD_MAGIC ...
#define RA_BAD_VERSION ...
#define RA_BAD_HEADER ...
#define RA_BAD_PROJECT ...
#define RA_BAD_POSITION ...
#define RA_CORRUPT ...
#define RA_LEASE_PRODUCER ...
#define RA_LEASE_CONSUMER ...
#define RA_HEADER_SIZE ...
#define RA_CAPACITY_MIN ...
#define RA_CAPACITY_MAX ...
#define RA_RECORD_HEADER ...
#define RA_ADDED_MAX ...
#define RA_RING_TEXT ...
#define RA_POSITION_TEXT ...
#define RA_BUCKETS ...

struct ra_region;

struct ra_ring {
    struct ra_region *region;
    uint64_t capacity;
    uint64_t max_payload;
    uint64_t generation;
    uint64_t min_id_length;
    uint64_t claim;
    uint64_t is_dealt;
    ...;
};

struct ra_claim {
    uint64_t start;
    uint64_t end;
    uint64_t count;
    uint64_t bytes;
};

struct ra_wrap {
    const char *head;
    uint64_t head_length;
    const char *tail;
    uint64_t tail_length;
    const char *library;
    uint64_t library_length;
};

struct ra_room {
    unsigned char *body;
    uint64_t size;
    uint32_t *offsets;
    uint64_t *positions;
};

struct ra_share {
    uint64_t count;
    uint64_t bytes;
};

struct ra_repair {
    uint64_t ready;
    uint64_t torn;
    uint64_t holes;
    uint64_t bad_crc;
    uint64_t oldest_ms;
};

int ra_ring_format(struct ra_region *region, uint64_t capacity,
                   const unsigned char *ring_id, uint64_t start);
int ra_ring_attach(struct ra_ring *ring, struct ra_region *region);
int64_t ra_ring_claim(struct ra_ring *ring, uint64_t max_count,
                      uint64_t max_bytes, uint64_t overhead,
                      struct ra_claim *claim);
void ra_ring_release(struct ra_ring *ring, uint64_t end);
int ra_ring_arm(struct ra_ring *ring, uint64_t count, uint64_t tail);
void ra_ring_disarm(struct ra_ring *ring);
uint64_t ra_ring_pushed(const struct ra_ring *ring);
uint64_t ra_ring_refused(const struct ra_ring *ring);
uint64_t ra_ring_tail(const struct ra_ring *ring);
uint64_t ra_ring_free(const struct ra_ring *ring);

uint64_t ra_ring_delivered(const struct ra_ring *ring);
uint64_t ra_ring_rejected(const struct ra_ring *ring);
uint64_t ra_ring_dropped(const struct ra_ring *ring);
void ra_ring_settled(struct ra_ring *ring, uint64_t delivered,
                     uint64_t rejected, uint64_t dropped);

void ra_region_describe(struct ra_region *region, const unsigned char *project,
                        uint64_t created_ms, uint32_t pid, uint32_t min_id,
                        uint32_t flags);
void ra_region_seal(struct ra_region *region);
int ra_region_check(const struct ra_region *region, uint64_t size,
                    const unsigned char *project);
void ra_ring_repair(struct ra_ring *ring, struct ra_repair *found);
void ra_ring_resume(struct ra_ring *ring);
uint64_t ra_region_capacity(const struct ra_region *region);
uint64_t ra_region_created_ms(const struct ra_region *region);
uint32_t ra_region_min_id(const struct ra_region *region);
uint64_t ra_region_head(const struct ra_region *region);
uint32_t ra_crc32c(uint32_t crc, const void *bytes, size_t length);

void ra_ring_text(const unsigned char *id, char *to);
int64_t ra_fill(struct ra_ring *ring, uint64_t max_count, uint64_t max_bytes,
                const struct ra_wrap *wrap, int keeps,
                const struct ra_room *room, struct ra_claim *claim);

uint64_t ra_deal(struct ra_ring *ring, struct ra_claim *claim,
                 uint64_t tracks, uint64_t max_count, uint64_t max_bytes,
                 uint64_t overhead, uint64_t *positions,
                 struct ra_share *shares);
uint64_t ra_splice_share(const struct ra_ring *ring,
                         const struct ra_share *share, uint64_t *positions,
                         const struct ra_wrap *wrap,
                         const struct ra_room *room);

int ra_generation_setup(void);
uint64_t ra_generation(void);
uint64_t ra_generation_renew(void);
int ra_generation_wipes(void);
int ra_wipe_on_fork(void *address, uint64_t length);

int ra_lease_take(int descriptor, int byte);
int ra_lease_give(int descriptor, int byte);
void ra_leases_abandon(uint64_t keep);
void *ra_map(int descriptor, uint64_t size);
void ra_unmap(void *map, uint64_t size);
uint64_t ra_filesystem(int descriptor);
