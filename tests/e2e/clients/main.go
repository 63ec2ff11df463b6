// Fetches a case by the client that oapi-codegen made, and prints what it read. It must compile: the types are the test.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"time"
)

func main() {
	key := func(_ context.Context, request *http.Request) error {
		request.Header.Set("Authorization", "Bearer "+os.Getenv("AUTOS_API_KEY"))
		return nil
	}
	api, err := NewClientWithResponses(os.Getenv("AUTOS_API_URL"), WithRequestEditorFn(key))
	check(err)
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	number := os.Getenv("PROCESS_NUMBER")

	asked, err := api.GetProcessWithResponse(ctx, number, &GetProcessParams{})
	check(err)
	var view ProcessView = *asked.JSON200
	wait, tag := float32(20), ""
	var status StatusView
	for {
		answer, err := api.GetStatusWithResponse(ctx, number, &GetStatusParams{Wait: &wait, IfNoneMatch: &tag})
		check(err)
		tag = answer.HTTPResponse.Header.Get("ETag")
		if answer.JSON200 != nil {
			status = *answer.JSON200
			if status.CompletedAt != nil {
				break
			}
		}
	}
	limit := 2
	page, err := api.ListDocumentsWithResponse(ctx, number, &ListDocumentsParams{Limit: &limit})
	check(err)
	var first DocumentView = page.JSON200.Documents[0]
	wrong, err := api.GetStatusWithResponse(ctx, "1", &GetStatusParams{})
	check(err)
	var problem Problem = *wrong.ApplicationproblemJSON422
	check(json.NewEncoder(os.Stdout).Encode(map[string]any{
		"number": view.ProcessNumber, "completed": status.CompletedDocuments, "total": page.JSON200.Total,
		"first": first.Name, "link": first.DownloadUrl != nil, "problem": problem.Code,
	}))
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
