/* The whole of what Python may see through cffi: the cold path. Meanings
   stand beside the C declarations. */

#define RA_RING_ID_SIZE 16
#define RA_HEADER_SIZE ...
#define RA_CAPACITY_MIN ...
#define RA_CAPACITY_MAX ...
#define RA_RECORD_HEADER ...
#define RA_ADDED_MAX ...
#define RA_RING_TEXT ...
#define RA_POSITION_TEXT ...

struct ra_region;

struct ra_ring {
    struct ra_region *region;
    uint64_t capacity;
    uint64_t max_payload;
    uint64_t generation;
    uint64_t min_id_length;
    uint64_t claim;
    ...;
};

struct ra_claim {
    uint64_t start;
    uint64_t end;
    uint64_t count;
    uint64_t bytes;
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

uint64_t ra_splice_bound(const struct ra_claim *claim, uint64_t head_length,
                         uint64_t tail_length, uint64_t library_length);
uint64_t ra_splice(const struct ra_ring *ring, const struct ra_claim *claim,
                   const char *head, uint64_t head_length, const char *tail,
                   uint64_t tail_length, const char *library,
                   uint64_t library_length, unsigned char *body,
                   uint32_t *offsets, uint64_t *positions);

int ra_generation_setup(void);
uint64_t ra_generation(void);
uint64_t ra_generation_renew(void);
int ra_generation_wipes(void);
int ra_wipe_on_fork(void *address, uint64_t length);
