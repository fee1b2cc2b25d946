// Skip-gram with negative sampling in C, forward and backward by hand, for twingrad's test vectors.
//
//   cc -O2 -o skipgram skipgram.c -lm
//   twingrad vectors run 'skipgram*-negatives-*' -- ./skipgram
//
// It updates by plain SGD and refuses everything else. It computes in double, whatever the dtype of the case.

#define _POSIX_C_SOURCE 200809L
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// --- JSON: enough to read a request; what is taken for one is not given back ------------------------------------------

typedef struct Json {
    char kind;           // its first character
    double number;       // of a number; 1 of true
    char *name, *text;   // its name in an object; what stands in a string
    struct Json *child, *next;
} Json;

static Json *parse(char **at) {
    Json *here = calloc(1, sizeof *here);
    *at += strspn(*at, " ,:");
    here->kind = **at;
    if (here->kind == '{' || here->kind == '[') {
        Json **last = &here->child;
        for (++*at; *at += strspn(*at, " ,"), **at != ']' && **at != '}'; last = &(*last)->next) {
            char *name = here->kind == '{' ? parse(at)->text : NULL;
            *last = parse(at);
            (*last)->name = name;
        }
        ++*at;
    } else if (here->kind == '"') {
        for (here->text = ++*at; **at != '"'; ++*at) *at += **at == '\\';
        *(*at)++ = 0;
    } else if (strchr("tfn", here->kind)) {
        here->number = here->kind == 't';
        *at += strspn(*at, "truefalsn");
    } else {
        here->number = strtod(*at, at);
    }
    return here;
}

static Json *get(const Json *object, const char *name) {
    Json *found = object->child;
    while (found && strcmp(found->name, name)) found = found->next;
    return found;
}

static int is(const Json *text, const char *word) { return !strcmp(text->text, word); }

// --- matrices ---------------------------------------------------------------------------------------------------------

typedef struct {
    int rows, columns;
    double *at;
} Matrix;

static Matrix zeros(int rows, int columns) { return (Matrix){rows, columns, calloc(rows * columns + 1, sizeof(double))}; }

static double *row(Matrix m, int i) { return m.at + i * m.columns; }

static int length(const Json *list) {
    int n = 0;
    for (Json *part = list->child; part; part = part->next) n++;
    return n;
}

static Matrix matrix(const Json *list) { // a list of numbers becomes one column
    int nested = list->child->kind == '[';
    Matrix m = zeros(length(list), nested ? length(list->child) : 1);
    double *at = m.at;
    for (Json *line = list->child; line; line = line->next)
        for (Json *x = nested ? line->child : line; x; x = nested ? x->next : NULL) *at++ = x->number;
    return m;
}

// 17 digits give a float64 back, 9 a float32. JSON has no NaN, so it is a string.
static void print(double x, int digits) {
    if (isfinite(x)) printf("%.*g", digits, x);
    else printf("\"%s\"", isnan(x) ? "NaN" : x > 0 ? "Infinity" : "-Infinity");
}

static void print_rows(Matrix m, const char *only, int digits) { // only: which rows; NULL for all
    for (int i = 0, first = 1; i < m.rows; i++) {
        if (only && !only[i]) continue;
        for (int j = 0; j < m.columns; j++) {
            fputs(j ? "," : first ? "[" : ",[", stdout);
            print(row(m, i)[j], digits);
        }
        fputs("]", stdout);
        first = 0;
    }
}

static void print_gradient(Matrix m, const char *only, int digits) {
    printf(only ? "{\"rows\":[" : "[");
    for (int i = 0, first = 1; only && i < m.rows; i++)
        if (only[i]) printf(first ? "%d" : ",%d", i), first = 0;
    if (only) printf("],\"values\":[");
    print_rows(m, only, digits);
    printf(only ? "]}" : "]");
}

// --- the model --------------------------------------------------------------------------------------------------------

typedef struct {
    Matrix value, gradient;
    char *read; // the rows that the batch has looked up
} Table;

static Table table(const Json *weights, const char *name) {
    Matrix value = matrix(get(weights, name));
    return (Table){value, zeros(value.rows, value.columns), calloc(value.rows, 1)};
}

static void clear(Table t) {
    memset(t.gradient.at, 0, sizeof(double) * t.value.rows * t.value.columns);
    memset(t.read, 0, t.value.rows);
}

static double log_sigmoid(double x) { return fmin(x, 0) - log1p(exp(-fabs(x))); }

// The loss of a batch, -log s(h . target) - sum_k log s(-h . negative_k) of each pair; its gradients go to the tables.
static double loss_and_grads(Table center, Table context, const Json *batch, int mask, int mean) {
    Matrix centers = matrix(get(batch, "centers")), targets = matrix(get(batch, "contexts"));
    Matrix negatives = matrix(get(batch, "negatives"));
    double loss = 0, divisor = mean ? centers.rows : 1;
    for (int n = 0; n < centers.rows; n++) {
        int c = centers.at[n], target = targets.at[n];
        double *h = row(center.value, c), *dh = row(center.gradient, c);
        center.read[c] = 1;
        for (int k = -1; k < negatives.columns; k++) {
            int word = k < 0 ? target : row(negatives, n)[k];
            double *w = row(context.value, word), *dw = row(context.gradient, word), score = 0;
            double sign = k < 0 ? 1 : -1;
            context.read[word] = 1;
            if (k >= 0 && mask && word == target) continue;
            for (int j = 0; j < center.value.columns; j++) score += h[j] * w[j];
            loss -= log_sigmoid(sign * score) / divisor;
            double d = -sign / (1 + exp(sign * score)) / divisor;
            for (int j = 0; j < center.value.columns; j++) {
                dh[j] += d * w[j]; // a row that occurs twice gets the sum
                dw[j] += d * h[j];
            }
        }
    }
    return loss;
}

static void step(Table t, double lr) {
    for (int i = 0; i < t.value.rows * t.value.columns; i++) t.value.at[i] -= lr * t.gradient.at[i];
}

// --- the protocol: one line in, one line out --------------------------------------------------------------------------

static const char *refusal(const Json *test) {
    Json *model = get(test, "model"), *optimizer = get(test, "optimizer");
    if (!is(get(model, "kind"), "SkipGram")) return "skip-gram only";
    if (!is(get(get(model, "objective"), "kind"), "NegativeSampling")) return "negative sampling only";
    int plain = is(get(optimizer, "kind"), "SGD") && !get(optimizer, "momentum")->number;
    plain = plain && !get(optimizer, "weight_decay")->number && get(test, "max_norm")->kind == 'n';
    return plain && get(test, "lr_decay_to")->kind == 'n' ? NULL : "plain SGD only";
}

static void answer(const Json *request) {
    Json *test = get(request, "case"), *model = get(test, "model");
    const char *reason = refusal(test);
    printf("{\"version\":2,\"case\":\"%s\",", get(test, "id")->text);
    if (reason) {
        printf("\"unsupported\":\"%s\"}", reason);
        return;
    }
    int digits = is(get(test, "dtype"), "float64") ? 17 : 9, by_row = is(get(test, "layout"), "rows");
    int mask = is(get(get(model, "objective"), "accidental_hits"), "mask"), mean = is(get(model, "reduction"), "mean");
    Table center = table(get(request, "weights"), "center.weight");
    Table context = table(get(request, "weights"), "context.weight");
    printf("\"steps\":[");
    for (Json *batch = get(request, "batches")->child; batch; batch = batch->next) {
        clear(center), clear(context);
        printf("{\"loss\":");
        print(loss_and_grads(center, context, batch, mask, mean), digits);
        printf(",\"grads\":{\"center.weight\":");
        print_gradient(center.gradient, by_row ? center.read : NULL, digits);
        printf(",\"context.weight\":");
        print_gradient(context.gradient, by_row ? context.read : NULL, digits);
        step(center, get(get(test, "optimizer"), "lr")->number);
        step(context, get(get(test, "optimizer"), "lr")->number);
        printf("},\"params\":{\"center.weight\":[");
        print_rows(center.value, NULL, digits);
        printf("],\"context.weight\":[");
        print_rows(context.value, NULL, digits);
        printf(batch->next ? "]}}," : "]}}");
    }
    printf("]}");
}

int main(void) {
    char *line = NULL;
    size_t size = 0;
    while (getline(&line, &size, stdin) > 0) {
        char *at = line;
        Json *request = parse(&at);
        if (get(request, "protocol")) printf("{\"protocol\":\"twingrad\",\"version\":2}");
        else answer(request);
        puts("");
        fflush(stdout); // or the line waits in a buffer, and twingrad for the line
    }
    return 0;
}
