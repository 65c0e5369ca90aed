package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"unsafe"
)

// A disk that is full refuses pushes with 503 and Retry-After, and nothing that
// was acknowledged is lost: not while it is full, not when there is room again,
// and not by a crash in between.
func TestFullDisk(t *testing.T) {
	file := filepath.Join(t.TempDir(), "appsync.db")
	p := startProgram(t, "-db", "sqlite:"+file, "-budget", "30s", "-retry-after", "7s")
	d := p.login("ann@example.com")
	d.push("https://before.example")

	limitFiles(t, p.Pid(), fileSize(t, file+"-wal")+500<<10)
	var mu sync.Mutex
	acknowledged := map[string]bool{"https://before.example": true}
	var writing sync.WaitGroup
	for w := range 8 {
		writing.Go(func() {
			for i, refused := 0, 0; refused < 5; i++ {
				origin := fmt.Sprintf("https://app-%d-%d.example", w, i)
				resp, err := d.try("POST", d.path, d.auth, fmt.Sprintf(`[{"origin":%q,"icon":%q,"last_modified":1}]`, origin, strings.Repeat("i", 16<<10)))
				if err != nil {
					t.Error(err)
					return
				}
				resp.Body.Close()
				switch {
				case resp.StatusCode == 200:
					mu.Lock()
					acknowledged[origin] = true
					mu.Unlock()
				case resp.StatusCode == 503 && resp.Header.Get("Retry-After") == "7":
					refused++
				default:
					t.Errorf("push to a full disk: %s, Retry-After %q", resp.Status, resp.Header.Get("Retry-After"))
					return
				}
			}
		})
	}
	writing.Wait()
	if len(acknowledged) == 1 {
		t.Error("the disk was full from the beginning")
	}
	check := func(when string, d device) {
		t.Helper()
		got := d.pull()
		for origin := range acknowledged {
			if !got[origin] {
				t.Errorf("%s: %s was acknowledged and is lost", when, origin)
			}
		}
	}
	check("while the disk is full", d)
	limitFiles(t, p.Pid(), 1<<40)
	d.push("https://after.example")
	acknowledged["https://after.example"] = true
	check("when there is room again", d)
	p.Kill()
	p = startProgram(t, "-db", "sqlite:"+file)
	check("after a crash", d.at(p))
	t.Logf("%d pushes acknowledged, the others answered 503", len(acknowledged))
}

func fileSize(t *testing.T, name string) int64 {
	t.Helper()
	info, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// limitFiles lets a process make no file longer than most bytes: what it writes
// beyond that fails, as on a disk that is full, and needs nobody's permission.
func limitFiles(t *testing.T, pid int, most int64) {
	t.Helper()
	var now syscall.Rlimit
	prlimit := func(to, from *syscall.Rlimit) {
		t.Helper()
		_, _, errno := syscall.RawSyscall6(syscall.SYS_PRLIMIT64, uintptr(pid), syscall.RLIMIT_FSIZE,
			uintptr(unsafe.Pointer(to)), uintptr(unsafe.Pointer(from)), 0, 0)
		if errno != 0 {
			t.Fatalf("prlimit: %v", errno)
		}
	}
	prlimit(nil, &now)
	now.Cur = min(uint64(most), now.Max)
	prlimit(&now, nil)
}
