// A Go server that holds two lists in memory and answers as the service does: no database at all.
// behind ADDRESS LISTS_FILE; the file holds [before, now], each a list of {"i","path","visitors"}.
package main

import (
	"encoding/json"
	"log"
	"net/http"
	"os"
	"sort"
)

type page struct {
	Title    string `json:"i"`
	Path     string `json:"path"`
	Visitors int    `json:"visitors"`
	Change   int    `json:"change"`
}

func increase(before, now []page) []page {
	visitors := make(map[string]int, len(before))
	for _, p := range before {
		visitors[p.Path] = p.Visitors
	}
	rows := make([]page, 0, len(now))
	for _, p := range now {
		if old, ok := visitors[p.Path]; ok && p.Visitors > old {
			p.Change = p.Visitors - old
			rows = append(rows, p)
		}
	}
	sort.Slice(rows, func(i, j int) bool {
		a, b := rows[i], rows[j]
		if a.Change != b.Change {
			return a.Change > b.Change
		}
		if a.Visitors != b.Visitors {
			return a.Visitors > b.Visitors
		}
		return a.Path < b.Path
	})
	return rows
}

func main() {
	text, err := os.ReadFile(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	var lists [2][]page
	if err := json.Unmarshal(text, &lists); err != nil {
		log.Fatal(err)
	}
	http.HandleFunc("/api/v1.0/increasingconcurrents", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("host") == "" || r.Header.Get("X-CB-AK") == "" {
			http.Error(w, "host and key are needed", http.StatusUnauthorized)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(increase(lists[0], lists[1])); err != nil {
			log.Print(err)
		}
	})
	log.Fatal(http.ListenAndServe(os.Args[1], nil))
}
