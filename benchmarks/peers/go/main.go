// The Go SDK as a peer of the benchmarks: does the work it is told on standard input, line by line,
// and answers each line with a JSON object. See ../../work.py for the lines and
// ../python_worker.py for the answers.
//
// Usage: go_peer PORT
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math/rand"
	"os"
	"runtime"
	"sort"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/milvus-io/milvus/client/v2/entity"
	"github.com/milvus-io/milvus/client/v2/milvusclient"
)

var outputs = map[string][]string{
	"ids":     nil,
	"scalar":  {"text"},
	"scalars": {"text", "number", "flag"},
	"json":    {"doc", "color"},
	"vectors": {"vector"},
}

type work struct {
	op, form, fields        string
	dim, rows, nq, k, width int
	seconds                 float64
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "go_peer:", err)
	os.Exit(1)
}

func parse(line string) work {
	given := map[string]string{}
	for _, item := range strings.Fields(line) {
		key, value, _ := strings.Cut(item, "=")
		given[key] = value
	}
	number := func(key string) int {
		value, err := strconv.Atoi(given[key])
		if err != nil {
			fail(err)
		}
		return value
	}
	seconds, err := strconv.ParseFloat(given["seconds"], 64)
	if err != nil {
		fail(err)
	}
	return work{given["op"], given["form"], given["fields"], number("dim"), number("rows"),
		number("nq"), number("k"), number("width"), seconds}
}

func vectors(rows, dim int) [][]float32 {
	random := rand.New(rand.NewSource(20260923))
	made := make([][]float32, rows)
	for i := range made {
		made[i] = make([]float32, dim)
		for j := range made[i] {
			made[i][j] = random.Float32()
		}
	}
	return made
}

// callOf returns a function that makes one call and reads and checks its result.
func callOf(client *milvusclient.Client, w work) func(context.Context) error {
	if w.op == "insert" {
		name := fmt.Sprintf("float_%d", w.dim)
		ids, texts := make([]int64, w.rows), make([]string, w.rows)
		for i := range ids {
			ids[i], texts[i] = int64(i), fmt.Sprintf("document %d: %032x", i, i)
		}
		data := vectors(w.rows, w.dim)
		return func(ctx context.Context) error {
			result, err := client.Insert(ctx, milvusclient.NewColumnBasedInsertOption(name).
				WithInt64Column("id", ids).WithVarcharColumn("text", texts).
				WithFloatVectorColumn("vector", w.dim, data))
			if err == nil && result.InsertCount != int64(w.rows) {
				err = fmt.Errorf("insert: %d rows, not %d", result.InsertCount, w.rows)
			}
			return err
		}
	}
	name, fields := fmt.Sprintf("full_%d", w.dim), outputs[w.fields]
	if w.op == "query" {
		return func(ctx context.Context) error {
			result, err := client.Query(ctx, milvusclient.NewQueryOption(name).
				WithFilter("id >= 0").WithOutputFields(fields...).WithLimit(w.rows))
			if err == nil {
				err = read(result, fields, w.rows, false)
			}
			return err
		}
	}
	query := entity.FloatVector(vectors(1, w.dim)[0])
	queries := make([]entity.Vector, w.nq)
	for i := range queries {
		queries[i] = query
	}
	return func(ctx context.Context) error {
		results, err := client.Search(ctx, milvusclient.NewSearchOption(name, w.k, queries).
			WithANNSField("vector").WithOutputFields(fields...))
		if err == nil && len(results) != w.nq {
			err = fmt.Errorf("search: %d results, not %d", len(results), w.nq)
		}
		for i := 0; err == nil && i < len(results); i++ {
			err = read(results[i], fields, w.k, true)
		}
		return err
	}
}

// read reads every key, distance and field, as a program would.
func read(result milvusclient.ResultSet, fields []string, rows int, search bool) error {
	count := result.ResultCount
	if !search {
		count = result.Len()
	}
	if count != rows {
		return fmt.Errorf("%d rows, not %d", count, rows)
	}
	if search {
		for i := 0; i < rows; i++ {
			if _, err := result.IDs.GetAsInt64(i); err != nil || result.Scores[i] <= 0 {
				return fmt.Errorf("row %d: no key or score (%v)", i, err)
			}
		}
	}
	for _, name := range fields {
		column := result.GetColumn(name)
		if column == nil {
			return fmt.Errorf("no column %s", name)
		}
		for i := 0; i < rows; i++ {
			if _, err := column.Get(i); err != nil {
				return err
			}
		}
	}
	return nil
}

func cpu() (total, system float64) {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		fail(err)
	}
	system = float64(usage.Stime.Nano()) / 1e9
	return float64(usage.Utime.Nano())/1e9 + system, system
}

func run(client *milvusclient.Client, w work) map[string]any {
	ctx := context.Background()
	call := callOf(client, w)
	if err := call(ctx); err != nil {
		fail(err)
	}
	runtime.GC()
	var lock sync.Mutex
	var all []time.Duration
	var waiting sync.WaitGroup
	total, system := cpu()
	start := time.Now()
	end := start.Add(time.Duration(w.seconds * 1e9))
	for i := 0; i < w.width; i++ {
		waiting.Add(1)
		go func() {
			defer waiting.Done()
			var latencies []time.Duration
			for now := time.Now(); now.Before(end); {
				if err := call(ctx); err != nil {
					fail(err)
				}
				next := time.Now()
				latencies = append(latencies, next.Sub(now))
				now = next
			}
			lock.Lock()
			all = append(all, latencies...)
			lock.Unlock()
		}()
	}
	waiting.Wait()
	wall := time.Since(start).Seconds()
	after, systemAfter := cpu()
	sort.Slice(all, func(i, j int) bool { return all[i] < all[j] })
	at := func(p float64) float64 { return all[int(float64(len(all)-1)*p+0.5)].Seconds() }
	return map[string]any{"calls": len(all), "cpu": after - total, "system": systemAfter - system,
		"wall": wall, "p50": at(0.5), "p95": at(0.95), "p99": at(0.99), "digest": nil}
}

func main() {
	client, err := milvusclient.New(context.Background(),
		&milvusclient.ClientConfig{Address: "127.0.0.1:" + os.Args[1]})
	if err != nil {
		fail(err)
	}
	lines, answers := bufio.NewScanner(os.Stdin), json.NewEncoder(os.Stdout)
	for lines.Scan() {
		if err := answers.Encode(run(client, parse(lines.Text()))); err != nil {
			fail(err)
		}
	}
}
