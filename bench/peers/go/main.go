// Command bench runs a workload of bench/workloads and prints its line:
//
//	go WORKLOAD procs=N FIGURE VALUE ns
//
// Usage: bench WORKLOAD [-procs N] [-n COUNT]
//
// The value is the median of reps timed runs after a warm-up of a tenth of the
// size. All settings of the Go runtime but GOMAXPROCS stay at their defaults.
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"sort"
	"sync"
	"time"
)

const reps = 5

type workload struct {
	n      int
	figure string
	run    func(n int) float64 // one timed run: nanoseconds for each operation
}

var workloads = map[string]workload{
	"forkjoin": {n: 1 << 20, figure: "ns_per_task", run: forkJoin},
	"ring":     {n: 1_000_000, figure: "ns_per_hop", run: ring},
}

func main() {
	name := ""
	if len(os.Args) > 1 {
		name = os.Args[1]
	}
	w, known := workloads[name]
	if !known {
		fmt.Fprintln(os.Stderr, "usage: bench forkjoin|ring [-procs N] [-n COUNT]")
		os.Exit(2)
	}
	flags := flag.NewFlagSet(name, flag.ExitOnError)
	procs := flags.Int("procs", 0, "GOMAXPROCS; 0: all CPUs")
	n := flags.Int("n", w.n, "size of a run")
	flags.Parse(os.Args[2:])
	if *procs <= 0 {
		*procs = runtime.NumCPU()
	}
	runtime.GOMAXPROCS(*procs)
	w.run(*n/10 + 1)
	values := make([]float64, reps)
	for i := range values {
		values[i] = w.run(*n)
	}
	sort.Float64s(values)
	fmt.Printf("go %s procs=%d %s %.2f ns\n", name, *procs, w.figure, values[reps/2])
}

// nsPer times f, which does ops operations.
func nsPer(ops int, f func()) float64 {
	start := time.Now()
	f()
	return float64(time.Since(start)) / float64(ops)
}

func check(ok bool) {
	if !ok {
		panic("wrong result")
	}
}

// forkJoin: a tree of at most n tasks (a power of two less one), of which each
// starts two and waits for them; for each task.
func forkJoin(n int) float64 {
	depth := 0
	for 4<<depth-1 <= n {
		depth++
	}
	tasks := 2<<depth - 1
	return nsPer(tasks, func() { check(task(depth) == tasks) })
}

// task counts the tasks below it and itself.
func task(depth int) int {
	if depth == 0 {
		return 1
	}
	var ofChildren [2]int
	var children sync.WaitGroup
	children.Add(2)
	for i := range ofChildren {
		go func(i int) {
			ofChildren[i] = task(depth - 1)
			children.Done()
		}(i)
	}
	children.Wait()
	return 1 + ofChildren[0] + ofChildren[1]
}

// ring: 1000 goroutines in a ring of unbuffered channels pass one token on, n
// times; for each hop.
func ring(n int) float64 {
	const length = 1000
	links := make([]chan int, length)
	for i := range links {
		links[i] = make(chan int)
	}
	done := make(chan struct{})
	var started, ended sync.WaitGroup
	started.Add(length)
	ended.Add(length)
	for i := range links {
		go func(from <-chan int, to chan<- int) {
			started.Done()
			for hopsLeft := range from {
				if hopsLeft == 0 {
					done <- struct{}{}
				} else {
					to <- hopsLeft - 1
				}
			}
			ended.Done()
		}(links[i], links[(i+1)%length])
	}
	started.Wait()
	value := nsPer(n, func() {
		links[0] <- n
		<-done
	})
	for _, link := range links {
		close(link)
	}
	ended.Wait()
	return value
}
