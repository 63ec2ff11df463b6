"""The Postman collection in docs/postman: made from the API's OpenAPI document and from the flows written here."""
